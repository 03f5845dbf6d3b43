#include "state/holder.h"

#include <unistd.h>

#include <gtest/gtest.h>

namespace freshet {
namespace {

constexpr std::int64_t kTimeoutMs = std::chrono::milliseconds(kLeaseTimeout).count();

LeaseHolder this_process() {
  return lease_holder({.host = this_host_name(), .pid = getpid()});
}

TEST(LeaseHolder, LivesWhileItsProcessDoes) {
  LeaseHolder holder = this_process();
  holder.renewed_at_ms -= 10 * kTimeoutMs;
  EXPECT_TRUE(is_alive(holder, this_host_name()));
}

TEST(LeaseHolder, LaterProcessOfItsPidIsAnother) {
  LeaseHolder holder = this_process();
  holder.process.back() = holder.process.back() == '1' ? '2' : '1';
  EXPECT_FALSE(is_alive(holder, this_host_name()));
}

// A machine or container of the same name, where this process's pid means somebody else.
TEST(LeaseHolder, NamesakeOfThisHostLivesUntilItsTimeout) {
  for (const char* process : {"another-boot/pid:[4026531836]/77", "/", ""}) {
    LeaseHolder holder = this_process();
    holder.process = process;
    EXPECT_TRUE(is_alive(holder, this_host_name(), holder.renewed_at_ms + kTimeoutMs - 1));
    EXPECT_FALSE(is_alive(holder, this_host_name(), holder.renewed_at_ms + kTimeoutMs));
  }
}

TEST(LeaseHolder, ClockSetBackDoesNotProlongALease) {
  const LeaseHolder holder = lease_holder({.host = "elsewhere", .pid = 1});
  EXPECT_TRUE(is_alive(holder, this_host_name(), holder.renewed_at_ms - 1000));
  EXPECT_FALSE(is_alive(holder, this_host_name(), holder.renewed_at_ms - kTimeoutMs));
}

}  // namespace
}  // namespace freshet
