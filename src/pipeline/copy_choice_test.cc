#include "pipeline/copy_choice.h"

#include <gtest/gtest.h>

namespace freshet {
namespace {

constexpr std::uint64_t kPagesPerGibibyte = 131'072;

// A table of a gibibyte with a key of one bigint.
TablePlan large_table() {
  TablePlan plan;
  plan.config.name = {.schema = "public", .table = "t"};
  TableSchema& schema = plan.catalog.schema;
  schema.name = plan.config.name;
  Column id;
  id.name = "id";
  id.type = Oid{20};
  id.type_sql = "bigint";
  id.is_identity = true;
  id.primary_key_place = 1;
  Column body;
  body.name = "body";
  body.type = Oid{25};
  body.type_sql = "text";
  schema.columns = {id, body};
  plan.catalog.heaps.emplace_back().pages = kPagesPerGibibyte;
  return plan;
}

CopyChoice choose(CopyMode wanted, const TablePlan& plan, bool destinations_keep_chunks = true) {
  const auto choice =
      choose_copy(wanted, plan, {.destinations_keep_chunks = destinations_keep_chunks});
  EXPECT_TRUE(choice.ok()) << choice.error().describe();
  return choice.ok() ? *choice : CopyChoice{};
}

TEST(CopyChoice, LargeTableWithAKeyOfIntegersGoesInChunks) {
  const CopyChoice choice = choose(CopyMode::automatic, large_table());
  EXPECT_EQ(choice.way, CopyMode::chunked);
  EXPECT_EQ(choice.reason, "it has 1024 MiB, and the primary key (id bigint) allows it");
}

TEST(CopyChoice, SmallTableGoesInChunksOnlyWhereAsked) {
  TablePlan plan = large_table();
  plan.catalog.heaps.front().pages = 128;
  const CopyChoice choice = choose(CopyMode::automatic, plan);
  EXPECT_EQ(choice.way, CopyMode::snapshot);
  EXPECT_EQ(choice.reason, "it has 1 MiB; below 256 MiB chunks are not worth it");
  EXPECT_EQ(choose(CopyMode::chunked, plan).way, CopyMode::chunked);
}

TEST(CopyChoice, WhatIsAskedForHolds) {
  EXPECT_EQ(choose(CopyMode::snapshot, large_table()).way, CopyMode::snapshot);
  EXPECT_EQ(choose(CopyMode::none, large_table()).way, CopyMode::none);
  EXPECT_TRUE(choose(CopyMode::none, large_table()).is_as_asked);
}

TEST(CopyChoice, ObstacleIsNamed) {
  const auto refused = [](const TablePlan& plan, bool keeps_chunks, const char* reason) {
    for (const CopyMode wanted : {CopyMode::automatic, CopyMode::chunked}) {
      const CopyChoice choice = choose(wanted, plan, keeps_chunks);
      EXPECT_EQ(choice.way, CopyMode::snapshot);
      EXPECT_EQ(choice.reason, reason);
      EXPECT_EQ(choice.is_as_asked, wanted == CopyMode::automatic);
    }
  };
  refused(large_table(), false, "not every destination keeps chunks");
  TablePlan plan = large_table();
  plan.catalog.kind = 'p';
  refused(plan, true, "it is partitioned");
  plan = large_table();
  plan.catalog.schema.columns[0].primary_key_place = 0;
  refused(plan, true, "it has no primary key");
  plan = large_table();
  plan.catalog.schema.identity = ReplicaIdentity::index;
  refused(plan, true, "its replica identity is not the primary key");
  plan = large_table();
  plan.masked.insert(plan.catalog.schema.columns[0].name);
  refused(plan, true, "its primary key is masked");
  plan = large_table();
  plan.catalog.schema.identity = ReplicaIdentity::full;
  plan.catalog.schema.columns[0].attnum = 1;
  plan.catalog.schema.columns[1].attnum = 2;
  plan.kept = std::make_shared<const TableSchema>(plan.catalog.schema);
  plan.catalog.schema.columns[0].name = "renamed";
  refused(plan, true, "its primary key was renamed, which is ignored");
  plan = large_table();
  plan.catalog.schema.columns[1].primary_key_place = 2;
  plan.catalog.schema.columns[1].is_identity = true;
  refused(
      plan, true,
      "its primary key (id bigint, body text) is not all of integers, UUIDs, dates and timestamps");
}

TEST(CopyChoice, WordOfTheTableCountsMoreThanThatOfTheSource) {
  TableConfig table;
  EXPECT_EQ(wanted_copy({.mode = CopyMode::chunked}, table), CopyMode::chunked);
  table.copy = CopyMode::none;
  EXPECT_EQ(wanted_copy({.mode = CopyMode::chunked}, table), CopyMode::none);
}

}  // namespace
}  // namespace freshet
