// Indexes built while rows come in, against the server of FRESHET_TEST_PG.
#include <gtest/gtest.h>

#include "destinations/postgres/concurrent_index.h"
#include "pg/testing/test_server.h"

namespace freshet::postgres {
namespace {

class ConcurrentIndexPgTest : public pg::testing::ServerTest {
 protected:
  std::string here(const TableName& table, const TableObject& index) {
    auto found = find_here(*connection_, table, index);
    EXPECT_TRUE(found.ok()) << found.error().describe();
    return found.ok() ? *found : "";
  }
};

TableObject index_of(ObjectKind kind, std::string name, std::string definition) {
  return {.kind = kind,
          .name = std::move(name),
          .definition = std::move(definition),
          .other = {},
          .judged = {}};
}

TEST_F(ConcurrentIndexPgTest, TheIndexOfAnotherTableIsNotOurs) {
  run("CREATE TABLE public.a (b_c int); CREATE TABLE public.a_b (c int);"
      "CREATE INDEX a_b_c ON public.a (b_c)");
  const TableObject index = index_of(ObjectKind::index, "a_b_c", "(c)");
  EXPECT_EQ(here({"public", "a"}, index), "here");
  EXPECT_EQ(here({"public", "a_b"}, index), "taken");
}

TEST_F(ConcurrentIndexPgTest, WhatWasLeftUnfinishedIsBuiltAnew) {
  run("CREATE TABLE public.t (a int, b int); CREATE INDEX i ON public.t (b);"
      "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'public.i'::regclass");
  const TableName table{"public", "t"};
  const TableObject index = index_of(ObjectKind::index, "i", "(a)");
  ASSERT_EQ(here(table, index), "unfinished");
  ASSERT_TRUE(build_concurrently(*connection_, table, index, "unfinished").ok());
  EXPECT_EQ(here(table, index), "here");
  const auto columns = connection_->query(
      "SELECT indkey::text FROM pg_index WHERE indexrelid = 'public.i'::regclass");
  ASSERT_TRUE(columns.ok());
  EXPECT_EQ(columns->text(0, 0), "1");
}

TEST_F(ConcurrentIndexPgTest, WhatFailsForGoodLeavesNothing) {
  run("CREATE TABLE public.t (a int); INSERT INTO public.t VALUES (1), (1)");
  const TableName table{"public", "t"};
  const TableObject index = index_of(ObjectKind::unique_index, "i", "(a)");
  const Status built = build_concurrently(*connection_, table, index, here(table, index));
  ASSERT_FALSE(built.ok());
  EXPECT_EQ(built.error().sqlstate(), "23505");
  EXPECT_EQ(here(table, index), "free");
}

}  // namespace
}  // namespace freshet::postgres
