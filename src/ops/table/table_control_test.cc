// Which tables are meant, and what follows from what was wanted of them before.
#include "ops/table/table_control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/table/table_list.h"

namespace freshet::ops {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const TableName kCalls{"public", "calls"};
const TableName kMessages{"public", "messages"};
const TableName kOdd{"Sales", "a.b"};
const std::vector<TableName> kKnown{kCalls, kMessages, kOdd};

Result<std::vector<TableName>> find(const std::vector<std::string>& words) {
  return find_tables(words, kKnown);
}

TEST(FindTables, NamesAreTakenAsTheConfigurationWritesThemOnceEach) {
  const auto found = find({"public.messages", R"("Sales"."a.b")", "messages"});
  ASSERT_TRUE(found.ok()) << found.error().describe();
  EXPECT_THAT(*found, ElementsAre(kMessages, kOdd));
}

TEST(FindTables, AnUnknownOneIsToldWithTheNearestAndAll) {
  const auto found = find({"public.calls", "public.mesages"});
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().kind(), ErrorKind::config);
  EXPECT_EQ(found.error().find("table"), "public.mesages");
  EXPECT_EQ(found.error().find("tables"), "public.calls, public.messages, Sales.a.b");
  EXPECT_EQ(found.error().fix(), "did you mean `public.messages`?");
  for (const char* word : {"elsewhere.entirely", "", "a.b.c"}) {
    EXPECT_EQ(find({word}).error().kind(), ErrorKind::config) << word;
    EXPECT_THAT(find({word}).error().fix(), HasSubstr("name one of its tables"));
  }
}

TEST(FindTables, OfThousandsOnlySomeAreListed) {
  std::vector<TableName> known;
  for (int i = 0; i < 3000; ++i)
    known.push_back({"public", "t" + std::to_string(i)});
  const std::vector<std::string> words{"elsewhere.entirely"};
  const auto found = find_tables(words, known);
  ASSERT_FALSE(found.ok());
  EXPECT_THAT(found.error().find("tables"), HasSubstr("public.t19 and 2980 more"));
}

std::optional<TableWish> next(TableAction action, std::optional<TableWish> wished) {
  const auto wish = next_wish(action, kCalls, wished);
  EXPECT_TRUE(wish.ok()) << wish.error().describe();
  return wish.ok() ? *wish : std::nullopt;
}

TEST(NextWish, APauseLastsUntilItIsResumed) {
  EXPECT_EQ(next(TableAction::pause, {}), TableWish::paused);
  EXPECT_EQ(next(TableAction::pause, TableWish::resync), TableWish::paused);
  EXPECT_EQ(next(TableAction::pause, TableWish::paused), std::nullopt);
  EXPECT_EQ(next(TableAction::resume, TableWish::paused), TableWish::resync);
}

TEST(NextWish, WhatIsNotPausedIsNotResumed) {
  EXPECT_EQ(next(TableAction::resume, {}), std::nullopt);
  EXPECT_EQ(next(TableAction::resume, TableWish::resync), std::nullopt);
}

TEST(NextWish, APausedTableIsNotCopiedUnlessItIsResumed) {
  EXPECT_EQ(next(TableAction::resync, {}), TableWish::resync);
  EXPECT_EQ(next(TableAction::resync, TableWish::resync), TableWish::resync);
  const auto refused = next_wish(TableAction::resync, kCalls, TableWish::paused);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind(), ErrorKind::config);
  EXPECT_EQ(refused.error().find("table"), "public.calls");
  EXPECT_THAT(refused.error().fix(), HasSubstr("freshet table resume"));
}

TEST(ListTables, TellsPhasesReasonsAndWhatHasYetToHappen) {
  StoredPipeline stored;
  stored.tables = {{"a", kMessages, TablePhase::streaming, ""},
                   {"a", kCalls, TablePhase::paused, "paused by `freshet table pause`"},
                   {"b", kCalls, TablePhase::streaming, ""}};
  stored.wishes = {{kCalls, TableWish::paused}, {kMessages, TableWish::resync}};
  EXPECT_THAT(
      list_tables(stored, kKnown),
      ElementsAre("public.calls → a: paused (paused by `freshet table pause`)",
                  "public.calls → b: streaming, to be paused",
                  "public.messages → a: streaming, to be copied again", "Sales.a.b: not begun"));
}

}  // namespace
}  // namespace freshet::ops
