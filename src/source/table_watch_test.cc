#include "source/table_watch.h"

#include <gtest/gtest.h>

#include "source/catalog.h"

namespace freshet::source {
namespace {

using Kind = TableNews::Kind;

WatchedTable plain_table() {
  return {.relation = Oid{500},
          .published = "p1",
          .is_published_by_name = true,
          .can_select = true,
          .definition = "d1",
          .columns = "id:23:-1 v:23:-1",
          .numbers = "1 2",
          .labels = {},
          .heaps = {{500, {.relfilenode = 900}}},
          .text = {}};
}

WatchedTable with_columns(std::string columns, std::string numbers) {
  WatchedTable table = plain_table();
  table.columns = std::move(columns);
  table.numbers = std::move(numbers);
  return table;
}

WatchedTable partitioned_table() {
  WatchedTable table = plain_table();
  table.heaps = {{501, {.relfilenode = 901}}, {502, {.relfilenode = 902}}};
  return table;
}

std::optional<TableNews> gravest(const WatchedTable& before, const WatchedTable& now) {
  const auto all = compare(before, now);
  return all.empty() ? std::nullopt : std::optional(all.front());
}

std::optional<Kind> news(const WatchedTable& before, const WatchedTable& now) {
  const auto found = gravest(before, now);
  return found ? std::optional(found->kind) : std::nullopt;
}

TEST(TableWatch, NothingNew) {
  EXPECT_EQ(news(plain_table(), plain_table()), std::nullopt);
}

TEST(TableWatch, VacuumFullAndAddColumnAreNoNewsByThemselves) {
  WatchedTable vacuumed = plain_table();
  vacuumed.heaps[500].relfilenode = 950;
  EXPECT_EQ(news(plain_table(), vacuumed), std::nullopt);
  WatchedTable wider = plain_table();
  wider.definition = "d2";
  wider.columns += " n:23:-1";
  wider.numbers += " 3";
  EXPECT_EQ(news(plain_table(), wider), std::nullopt);
}

TEST(TableWatch, RewrittenRowsMustBeCopiedAgain) {
  WatchedTable rewritten = plain_table();
  rewritten.definition = "d2";
  rewritten.heaps[500].relfilenode = 950;
  EXPECT_EQ(news(plain_table(), rewritten), Kind::redefined);
}

/// Whether a lane that follows `definition`, with its rows from `files`, has answered the news.
bool is_answered(const TableNews& news, const char* definition, const char* files) {
  TableSchema current;
  current.definition = definition;
  current.files = files;
  return has_come_to(news.answer, current);
}

// A lane that follows the new column has answered the news, unless its rows are of other files.
TEST(TableWatch, APartitionTruncatedBehindANewDefinitionIsNotFollowed) {
  WatchedTable now = partitioned_table();
  now.definition = "d2";
  now.heaps[502] = {.relfilenode = 952, .xmin = 7, .is_unanalysed = true};
  const auto found = gravest(partitioned_table(), now);
  ASSERT_TRUE(found && found->kind == Kind::redefined);
  EXPECT_FALSE(is_answered(*found, "d2", "501:901 502:902"));
  EXPECT_TRUE(is_answered(*found, "d2", "502:952 501:901 503:903"));
  EXPECT_FALSE(is_answered(*found, "d1", "502:952 501:901 503:903"));
}

TEST(TableWatch, WhatBecameOfPartitionsIsSeenBesideAColumnMadeAgain) {
  WatchedTable before = partitioned_table();
  before.heaps[503] = {.relfilenode = 903};
  WatchedTable now = before;
  now.definition = "d2";
  now.numbers = "1 3";
  now.heaps[501].relfilenode = 951;
  now.heaps[502] = {.relfilenode = 952, .xmin = 7, .is_unanalysed = true};
  now.heaps.erase(503);
  const auto all = compare(before, now);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].what, kColumnMadeAgain);
  EXPECT_TRUE(all[0].needs_capture);
  EXPECT_FALSE(all[0].is_of_new_column) << "the truncated partition is not";
  EXPECT_FALSE(is_answered(all[0], "d2", "501:901 502:902 503:903"));
  EXPECT_TRUE(is_answered(all[0], "d2", "501:951 502:952"));
  EXPECT_EQ(all[1].kind, Kind::kept_rows);
}

TEST(TableWatch, ARewriteOfAllPartitionsIsFollowedByItsDefinition) {
  WatchedTable now = partitioned_table();
  now.definition = "d2";
  now.heaps[501] = {.relfilenode = 951, .xmin = 7, .is_unanalysed = true};
  now.heaps[502] = {.relfilenode = 952, .xmin = 7, .is_unanalysed = true};
  const auto found = gravest(partitioned_table(), now);
  ASSERT_TRUE(found && found->kind == Kind::redefined);
  EXPECT_TRUE(is_answered(*found, "d2", "501:901 502:902"));
}

TEST(TableWatch, SameNamesWithOtherNumbersAreOtherColumns) {
  WatchedTable again = plain_table();
  again.definition = "d2";
  again.numbers = "1 3";
  EXPECT_EQ(news(plain_table(), again), Kind::redefined);
}

TEST(TableWatch, AColumnMadeTwiceBetweenTwoLooksIsSeen) {
  WatchedTable before = with_columns("id:23:-1 v:23:-1", "1 2 3");
  WatchedTable now = with_columns("id:23:-1 v:25:-1", "1 5 5");
  EXPECT_EQ(news(before, now), Kind::redefined);
  now.numbers = "1 4 4";
  EXPECT_EQ(news(before, now), std::nullopt) << "what came is announced as another";
  now.numbers = "1 4 5";
  EXPECT_EQ(news(before, now), std::nullopt) << "what went was announced behind it";
  before.numbers = "1 2";
  now.numbers = "1 5 5";
  EXPECT_EQ(news(before, now), std::nullopt) << "an earlier version kept no highest number";
}

TEST(TableWatch, AColumnMadeAgainIsSeenBehindOthersThatChanged) {
  const WatchedTable before =
      with_columns("id:23:-1 \"a \"\" b\":16:-1 v:25:-1 w:25:-1", "1 2 3 4");
  WatchedTable now = with_columns("id:23:-1 w:25:-1 \"a \"\" b\":20:-1 v:25:-1", "1 4 5 6");
  now.definition = "d2";
  const auto found = gravest(before, now);
  ASSERT_TRUE(found && found->kind == Kind::redefined);
  EXPECT_TRUE(found->needs_capture);
  EXPECT_EQ(found->answer.definition, "d2");
  now.columns = "id:23:-1 w:25:-1 \"a \"\" b\":20:-1 v:23:-1";
  EXPECT_EQ(news(before, now), std::nullopt) << "all that are new are of another type";
  now.columns = "id:23:-1 w:25:-1 \"a \"\" b\":16:-1 v:25:-1";
  now.numbers = "1 3 5 6";
  EXPECT_EQ(news(before, now), Kind::redefined);
  now.columns = "id:23:-1 \"a \"\" b\":16:-1 w:25:-1 v:25:-1";
  now.numbers = "1 2 3 4";
  EXPECT_EQ(news(before, now), std::nullopt) << "v and w exchanged their names";
}

TEST(TableWatch, TablesThatGo) {
  EXPECT_EQ(news(plain_table(), WatchedTable{}), Kind::gone);
  WatchedTable unpublished = plain_table();
  unpublished.published.clear();
  EXPECT_EQ(news(plain_table(), unpublished), Kind::unpublished);
  EXPECT_EQ(news(unpublished, plain_table()), std::nullopt) << "ours is made after the first look";
  WatchedTable made_again = plain_table();
  made_again.relation = Oid{600};
  EXPECT_EQ(news(plain_table(), made_again), Kind::redefined);
}

TEST(TableWatch, APublicationThatWasAltered) {
  WatchedTable fewer = plain_table();
  fewer.published = "p2";
  EXPECT_EQ(news(plain_table(), fewer), Kind::republished);
}

TEST(TableWatch, UnloggedTablesAreNotSent) {
  WatchedTable unlogged = plain_table();
  unlogged.heaps[500] = {.relfilenode = 950, .is_unlogged = true};
  EXPECT_EQ(news(plain_table(), unlogged), Kind::missed);
  WatchedTable logged = plain_table();
  logged.heaps[500].relfilenode = 951;
  EXPECT_EQ(news(unlogged, logged), Kind::missed);
  logged.is_published_by_name = false;
  EXPECT_EQ(news(plain_table(), logged), Kind::suspect);
  logged.heaps[500].is_unanalysed = true;
  EXPECT_EQ(news(plain_table(), logged), std::nullopt) << "truncated, which is streamed";
}

TEST(TableWatch, LabelsThatAreRenamedOrAdded) {
  WatchedTable before = plain_table();
  before.labels = {{700, "sad"}, {701, "happy"}};
  WatchedTable more = before;
  more.labels[702] = "angry";
  EXPECT_EQ(news(before, more), std::nullopt);
  WatchedTable renamed = before;
  renamed.labels[700] = "unhappy";
  EXPECT_EQ(news(before, renamed), Kind::redefined);
}

TEST(TableWatch, PartitionsThatComeAndGo) {
  WatchedTable empty = partitioned_table();
  empty.heaps[503] = {.relfilenode = 903};
  EXPECT_EQ(news(partitioned_table(), empty), std::nullopt) << "made as a partition, it was empty";
  WatchedTable attached = partitioned_table();
  attached.heaps[503] = {.relfilenode = 903, .was_attached = true};
  EXPECT_EQ(news(partitioned_table(), attached), Kind::missed);
  WatchedTable fewer = partitioned_table();
  fewer.heaps.erase(502);
  EXPECT_EQ(news(partitioned_table(), fewer), Kind::kept_rows);
  WatchedTable truncated = partitioned_table();
  truncated.heaps[502] = {.relfilenode = 950, .xmin = 7, .is_unanalysed = true};
  EXPECT_EQ(news(partitioned_table(), truncated), Kind::missed);
  truncated.heaps[501] = {.relfilenode = 951, .xmin = 7, .is_unanalysed = true};
  EXPECT_EQ(news(partitioned_table(), truncated), std::nullopt) << "the root was, and that came";
  truncated.heaps[501].xmin = 8;
  EXPECT_EQ(news(partitioned_table(), truncated), Kind::missed) << "one after the other";
}

TEST(TableWatch, APartitionThatWasAwayForAMoment) {
  WatchedTable before = partitioned_table();
  before.heaps[501].attachments = "7:9";
  WatchedTable again = before;
  again.heaps[501].attachments = "7:12";
  EXPECT_EQ(news(before, again), Kind::missed);
  again.definition = "d2";
  again.heaps[502].relfilenode = 952;
  EXPECT_EQ(news(before, again), Kind::missed) << "whoever follows d2 knows nothing of it";
  EXPECT_EQ(news(partitioned_table(), before), std::nullopt) << "kept by an earlier version";
}

TEST(TableWatch, APartitionThatCameAndWasTruncated) {
  WatchedTable now = partitioned_table();
  now.heaps[503] = {.relfilenode = 503, .xmin = 7, .is_unanalysed = true};
  EXPECT_EQ(news(partitioned_table(), now), std::nullopt);
  now.heaps[503].relfilenode = 950;
  EXPECT_EQ(news(partitioned_table(), now), Kind::missed);
  now.definition = "d2";
  EXPECT_EQ(news(partitioned_table(), now), std::nullopt) << "rewritten, which is copied for";
}

TEST(TableWatch, APartitionWrittenAnewMayHaveLostRows) {
  WatchedTable now = partitioned_table();
  now.heaps[502].relfilenode = 952;
  EXPECT_EQ(news(partitioned_table(), now), Kind::suspect);
}

TEST(TableWatch, IsReadBackAsItWasKept) {
  const std::string line =
      "500\tp1\tt\tf\td1 9\tid:23:-1\t1 2\t700:s\\\\ad\\n\t500:900:7:tu 501:901:8::7:9\n";
  const auto kept = parse_watched("pub\\tlic\tt\t" + line);
  ASSERT_TRUE(kept.ok());
  const TableName name{"pub\tlic", "t"};
  ASSERT_TRUE(kept->contains(name));
  const WatchedTable& table = kept->at(name);
  EXPECT_EQ(table.relation, Oid{500});
  EXPECT_TRUE(table.is_published_by_name);
  EXPECT_FALSE(table.can_select);
  EXPECT_EQ(table.labels.at(700), "s\\ad");
  EXPECT_EQ(table.heaps.at(500).xmin, 7U);
  EXPECT_TRUE(table.heaps.at(500).is_unlogged);
  EXPECT_EQ(table.heaps.at(500).attachments, "");
  EXPECT_EQ(table.heaps.at(501).attachments, "7:9");
  EXPECT_EQ(to_text(std::span(&name, 1), std::span(&table, 1)), "pub\\tlic\tt\t" + line);
  EXPECT_FALSE(parse_watched("too\tfew\n").ok());
}

TEST(WasRewritten, OnlyWhereFilesAndDefinitionChanged) {
  TableSchema before;
  before.definition = "d1";
  before.files = "500:900 501:901";
  TableSchema now = before;
  now.files = "500:950 501:901";
  EXPECT_FALSE(was_rewritten(before, now)) << "vacuumed";
  now.definition = "d2";
  EXPECT_TRUE(was_rewritten(before, now));
  now.files = "500:900 501:901 502:902";
  EXPECT_FALSE(was_rewritten(before, now)) << "a partition more";
  now.files = "500:950";
  before.definition.clear();
  EXPECT_FALSE(was_rewritten(before, now)) << "never looked at";
}

}  // namespace
}  // namespace freshet::source
