#include <chrono>
#include <future>
#include <memory>

#include "pg/testing/test_server.h"
#include "pipeline/table_plan.h"

namespace freshet {
namespace {

using namespace std::chrono_literals;

const TableName kTable{.schema = "public", .table = "t"};
const TableName kOther{.schema = "public", .table = "u"};
constexpr std::chrono::seconds kSoon{20};

/// Two tables, the first of which is locked.
class LockedTablePgTest : public pg::testing::ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    if (connection_ == nullptr) return;
    run("CREATE TABLE public.t (id int PRIMARY KEY, a text)");
    run("CREATE TABLE public.u (id int PRIMARY KEY, a text)");
    for (const TableName& name : {kTable, kOther}) {
      auto table = source::load_table(*connection_, name);
      ASSERT_TRUE(table.ok());
      plans_[name].catalog = std::move(table).value();
      plans_[name].config.where = "a = 'x'";
    }
    resolver_ = std::make_unique<SchemaResolver>(
        pg::ConnectOptions{.url = url(), .application_name = "freshet lanes"}, plans_, stopping_);
    locker_ = connect(url());
    run(*locker_, "BEGIN; LOCK TABLE public.t IN ACCESS EXCLUSIVE MODE");
  }

  SchemaPtr schema(const TableName& name) const {
    return std::make_shared<const TableSchema>(plans_.at(name).catalog.schema);
  }

  RowView row() {
    const std::span<Value> values = arena_.array<Value>(2);
    values[0] = Value::text("1");
    values[1] = Value::unchanged();
    return values;
  }

  Result<source::Reread> reread(const TableName& name) {
    const RowView rows[] = {row()};
    Arena arena;
    return resolver_->reread({.schema = schema(name), .rows = rows}, {}, arena);
  }

  void wait_until_blocked() {
    for (int i = 0; i < 1000 && text(kBlocked) == "0"; ++i)
      std::this_thread::sleep_for(10ms);
    EXPECT_EQ(text(kBlocked), "1");
  }

  static constexpr auto kBlocked =
      "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'freshet lanes' "
      "AND wait_event_type = 'Lock'";

  TablePlans plans_;
  std::shared_ptr<pg::Interrupter> stopping_ = std::make_shared<pg::Interrupter>();
  std::unique_ptr<SchemaResolver> resolver_;
  std::unique_ptr<pg::Connection> locker_;
  Arena arena_;
};

TEST_F(LockedTablePgTest, HoldsUpOnlyWhoReadsItsRows) {
  auto waiting = std::async(std::launch::async, [&] { return reread(kTable); });
  wait_until_blocked();
  auto others = std::async(std::launch::async, [&] {
    const SchemaPtr other = schema(kOther);
    return resolver_->objects({&other->relation, 1}).ok() && reread(kOther).ok() &&
           resolver_->look_up({}).ok();
  });
  EXPECT_EQ(others.wait_for(kSoon), std::future_status::ready);
  run(*locker_, "ROLLBACK");
  EXPECT_TRUE(others.get());
  EXPECT_TRUE(waiting.get().ok());
}

TEST_F(LockedTablePgTest, HoldsUpNoStop) {
  auto waiting = std::async(std::launch::async, [&] { return reread(kTable); });
  wait_until_blocked();
  stopping_->trigger();
  EXPECT_EQ(waiting.wait_for(kSoon), std::future_status::ready);
  run(*locker_, "ROLLBACK");
  EXPECT_EQ(waiting.get().error().kind(), ErrorKind::cancelled);
}

TEST_F(LockedTablePgTest, HoldsUpNoStopWhereItsFilterIsMade) {
  Shape shape;
  shape.input = schema(kTable);
  auto waiting = std::async(std::launch::async,
                            [&] { return resolver_->filter(shape, plans_.at(kTable), {}); });
  wait_until_blocked();
  const SchemaPtr other = schema(kOther);
  EXPECT_TRUE(resolver_->objects({&other->relation, 1}).ok());
  stopping_->trigger();
  EXPECT_EQ(waiting.wait_for(kSoon), std::future_status::ready);
  run(*locker_, "ROLLBACK");
  EXPECT_EQ(waiting.get().error().kind(), ErrorKind::cancelled);
}

}  // namespace
}  // namespace freshet
