#include "destinations/contract/faulty_destination.h"

#include <future>

#include <gtest/gtest.h>

#include "destinations/contract/testing/batch.h"
#include "destinations/null/writer.h"

namespace freshet {
namespace {

using std::chrono::seconds;

class FaultyDestinationTest : public testing::Test {
 protected:
  Result<Position> write() {
    Group group;
    group.upto = {Lsn{++lsn_}};
    return destination_.write(group, Durability::required);
  }

  std::uint64_t lsn_ = 0;
  std::shared_ptr<FaultPlan> plan_ = std::make_shared<FaultPlan>();
  FaultyDestination destination_{
      make_null_destination({.name = "n", .url = "null:", .vector_index = {}}).value(), plan_};
};

TEST_F(FaultyDestinationTest, RejectedWritesDoNotReachTheStore) {
  plan_->reject(Error{ErrorKind::busy, "no"}, 2);
  EXPECT_FALSE(write().ok());
  EXPECT_FALSE(write().ok());
  EXPECT_EQ(write().value(), Position{Lsn{3}});
  EXPECT_EQ(plan_->write_count(), 3U);
}

TEST_F(FaultyDestinationTest, FailureAfterTheWriteIsInDoubt) {
  plan_->fail_after_write(Error{ErrorKind::connection, "cut"});
  const auto failed = write();
  ASSERT_FALSE(failed.ok());
  EXPECT_TRUE(failed.error().is_in_doubt());
  // An empty barrier at a position of old would move it back, had the write not been done.
  EXPECT_EQ(write().value(), Position{Lsn{2}});
}

TEST_F(FaultyDestinationTest, HeldWritesWaitUntilLetGo) {
  plan_->hold();
  auto written = std::async(std::launch::async, [this] { return write(); });
  EXPECT_TRUE(plan_->wait_until_held(seconds(10)));
  EXPECT_EQ(written.wait_for(seconds(0)), std::future_status::timeout);
  plan_->let_go();
  EXPECT_TRUE(written.get().ok());
}

}  // namespace
}  // namespace freshet
