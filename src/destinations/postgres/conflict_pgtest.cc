// What the Postgres destination does with rows that are refused, against the server of
// FRESHET_TEST_PG. The whole, with source, engine and commands: tests/test_quarantine.py.
#include <gmock/gmock.h>

#include "destinations/contract/testing/batch.h"
#include "destinations/postgres/quarantine_replay.h"
#include "destinations/postgres/testing/destination_test.h"

namespace freshet::postgres {
namespace {

using testing::ElementsAre;
using testing_rows::Batch;
using testing_rows::Cell;
using testing_rows::text_table;

const TableName kTable{"public", "t"};

class ConflictTest : public DestinationTest {
 protected:
  /// Opens the destination (again).
  void open(OnConflict on_conflict) {
    destination_ =
        make_postgres_destination({.name = "copy",
                                   .url = database_->url(),
                                   .vector_index = {},
                                   .on_conflict = on_conflict,
                                   .newest_by = on_conflict == OnConflict::newest_wins ? "at" : ""})
            .value();
    DestinationTest::open(*destination_);
  }

  /// The same, with the table made.
  void start(OnConflict on_conflict, const SchemaPtr& schema) {
    open(on_conflict);
    prepare(schema);
  }

  Result<Position> try_write(const Batch& batch, bool is_complete = true) {
    const freshet::Run run = batch.run();
    Group group;
    group.runs = {&run, 1};
    group.upto = batch.position();
    group.is_complete = is_complete;
    return destination_->write(group, Durability::may_defer);
  }

  void write(const Batch& batch, bool is_complete = true) {
    const auto written = try_write(batch, is_complete);
    ASSERT_TRUE(written.ok()) << written.error().describe();
  }

  ConflictCounts take_counts() {
    ConflictCounts counts;
    for (const TableConflicts& table : destination_->take_conflicts())
      counts += table.counts;
    return counts;
  }

  static ReplayOutcome replay() {
    auto connection = pg::Connection::open(
        {.url = database_->url(), .application_name = "freshet test", .interrupter = nullptr});
    auto outcome = replay_quarantine(std::move(connection).value(), "demo", {});
    EXPECT_TRUE(outcome.ok()) << outcome.error().describe();
    return outcome.ok() ? *outcome : ReplayOutcome{};
  }
};

TEST_F(ConflictTest, OnlyThoseThatAreRefusedAreLeftOutOfManyRows) {
  const SchemaPtr schema = text_table(kTable, {"id", "v"});
  start(OnConflict::skip, schema);
  database_->run("ALTER TABLE public.t ADD CHECK (v <> 'bad')");
  Batch batch(schema, 0x2000);
  for (int id = 1; id <= 1000; ++id)
    batch.insert({std::to_string(id), id % 300 == 0 ? "bad" : "good"});
  write(batch);
  EXPECT_THAT(lines("SELECT count(*), count(*) FILTER (WHERE id % 300 = 0) FROM public.t"),
              ElementsAre("997|0"));
  EXPECT_EQ(take_counts().skipped, 3U);
  EXPECT_EQ(take_counts().skipped, 0U);
  EXPECT_THAT(lines("SELECT position FROM freshet.progress"), ElementsAre("0/2000"));
}

TEST_F(ConflictTest, AnErrorNamesTheTransactionAndChangesNothing) {
  const SchemaPtr schema = text_table(kTable, {"id", "v"});
  start(OnConflict::error, schema);
  database_->run("ALTER TABLE public.t ADD CONSTRAINT good CHECK (v <> 'bad')");
  Batch batch(schema, 0x2008);
  batch.insert({"1", "good"}).insert({"2", "bad"});
  const auto written = try_write(batch);
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().find("commit_lsn"), "0/2000");
  EXPECT_EQ(written.error().find("constraint"), "good");
  EXPECT_THAT(lines("SELECT * FROM public.t"), ElementsAre());
  Batch after(schema, 0x3000);
  after.insert({"1", "good"});
  write(after);
  EXPECT_THAT(lines("SELECT * FROM public.t"), ElementsAre("1|good"));
}

TEST_F(ConflictTest, PartsOfOneTransactionKeepWhatTheyRefused) {
  const SchemaPtr schema = text_table(kTable, {"id", "v"});
  start(OnConflict::quarantine, schema);
  database_->run("ALTER TABLE public.t ADD CHECK (v <> 'bad')");
  Batch first(schema, 0x2000);
  first.insert({"1", "bad"}).insert({"2", "good"});
  Batch second(schema, 0x2000);
  second.update({"1", "good"}).insert({"3", "bad"});
  write(first, false);
  EXPECT_THAT(lines("SELECT count(*) FROM freshet.quarantine"), ElementsAre("0"));
  EXPECT_EQ(take_counts().quarantined, 0U);
  write(second);
  EXPECT_THAT(lines("SELECT op, after->>'id', after->>'v', sqlstate FROM freshet.quarantine "
                    "ORDER BY id"),
              ElementsAre("insert|1|bad|23514", "update|1|good|-", "insert|3|bad|23514"));
  EXPECT_EQ(take_counts().quarantined, 3U);
  EXPECT_THAT(lines("SELECT id FROM public.t"), ElementsAre("2"));

  // Nothing in between has to fit: 1 is as it is in the end.
  const ReplayOutcome outcome = replay();
  EXPECT_EQ(outcome.applied, 2U);
  EXPECT_EQ(outcome.left, 1U);
  ASSERT_EQ(outcome.failures.size(), 1U);
  EXPECT_EQ(outcome.failures[0].sqlstate, "23514");
  EXPECT_THAT(lines("SELECT id, v FROM public.t ORDER BY id"), ElementsAre("1|good", "2|good"));
}

TEST_F(ConflictTest, WhatABrokenOffTransactionRefusedIsForgotten) {
  const SchemaPtr schema = text_table(kTable, {"id", "v"});
  start(OnConflict::quarantine, schema);
  database_->run("ALTER TABLE public.t ADD CHECK (v <> 'bad')");
  Batch batch(schema, 0x2000);
  batch.insert({"1", "bad"});
  write(batch, false);
  open(OnConflict::quarantine);
  Batch other(schema, 0x2000);
  other.insert({"1", "good"});
  write(other);
  EXPECT_THAT(lines("SELECT count(*) FROM freshet.quarantine"), ElementsAre("0"));
  EXPECT_THAT(lines("SELECT id, v FROM public.t"), ElementsAre("1|good"));
}

TEST_F(ConflictTest, KeysOfATableWhoseKeyChangedAreAllHeld) {
  const SchemaPtr schema = text_table(kTable, {"id", "v"});
  start(OnConflict::quarantine, schema);
  database_->run("ALTER TABLE public.t ADD CHECK (v <> 'bad')");
  Batch batch(schema, 0x2000);
  batch.insert({"1", "bad"}).insert({"2", "good"});
  write(batch);
  auto changed = std::make_shared<TableSchema>(*schema);
  changed->version = 2;
  changed->identity = ReplicaIdentity::index;
  changed->columns[0].is_identity = false;
  changed->columns[1].is_identity = true;
  changed->columns[1].is_not_null = true;
  changed->columns[1].is_byte_comparable = true;
  const Status evolved = destination_->evolve(schema, changed);
  ASSERT_TRUE(evolved.ok()) << evolved.error().describe();
  Batch later(changed, 0x3000);
  later.insert({"7", "seven"});
  write(later);
  EXPECT_THAT(lines("SELECT keys FROM freshet.quarantine ORDER BY id"),
              ElementsAre("[\"\\\\*\"]", "[\"seven\"]"));
  open(OnConflict::quarantine);
  Batch last(changed, 0x4000);
  last.insert({"8", "eight"});
  write(last);
  EXPECT_THAT(lines("SELECT count(*) FROM freshet.quarantine"), ElementsAre("3"));
}

TEST_F(ConflictTest, RowsWithoutIdentityHoldNoOther) {
  const SchemaPtr schema = text_table(kTable, {"id", "v"}, ReplicaIdentity::nothing);
  auto keyless = std::make_shared<TableSchema>(*schema);
  keyless->columns[0].is_identity = false;
  keyless->columns[0].primary_key_place = 0;
  start(OnConflict::quarantine, keyless);
  database_->run("ALTER TABLE public.t ADD CONSTRAINT good CHECK (v <> 'bad')");
  Batch batch(keyless, 0x2000);
  batch.insert({"1", "bad"}).insert({"1", "good"}).insert({"1", "bad"});
  write(batch);
  EXPECT_THAT(lines("SELECT v FROM public.t"), ElementsAre("good"));
  EXPECT_THAT(lines("SELECT addressing, keys, sqlstate FROM freshet.quarantine"),
              ElementsAre("none|[]|23514", "none|[]|23514"));
  database_->run("ALTER TABLE public.t DROP CONSTRAINT good");
  EXPECT_EQ(replay().applied, 2U);
  EXPECT_THAT(lines("SELECT count(*) FROM public.t"), ElementsAre("3"));
}

// What the source sends of a row has no derived columns: they are at the destination alone.
TEST_F(ConflictTest, RowsWithoutAKeyAreReplayedWhateverWasDerivedFromThem) {
  auto schema =
      std::make_shared<TableSchema>(*text_table(kTable, {"id", "v", "d"}, ReplicaIdentity::full));
  schema->columns[0].primary_key_place = 0;
  schema->columns[0].is_not_null = false;
  schema->columns[2].is_derived = true;
  start(OnConflict::quarantine, schema);
  Batch insert(schema, 0x2000);
  insert.insert({"1", "one", "of one"}).insert({"2", "two", "of two"});
  write(insert);
  database_->run("ALTER TABLE public.t ADD CONSTRAINT good CHECK (v NOT LIKE 'bad%') NOT VALID");
  Batch batch(schema, 0x3000);
  batch.update(OldRow::full, {"1", "one", nullptr}, {"1", "bad", "of bad"})
      .update(OldRow::full, {"1", "bad", nullptr}, {"1", "bad too", "of bad too"})
      .insert({"3", "bad", "of bad"});
  write(batch);
  Batch later(schema, 0x4000);
  later.remove(OldRow::full, {"3", "bad", nullptr});
  write(later);
  EXPECT_THAT(lines("SELECT op, before->>'v', before::jsonb ? 'd' FROM freshet.quarantine "
                    "ORDER BY id"),
              ElementsAre("update|one|f", "update|bad|f", "insert|-|-", "delete|bad|f"));
  // The one that came and went needs to fit at no time.
  EXPECT_EQ(replay().applied, 2U);
  EXPECT_THAT(lines("SELECT * FROM public.t ORDER BY id"),
              ElementsAre("1|one|of one", "2|two|of two"));
  database_->run("ALTER TABLE public.t DROP CONSTRAINT good");
  EXPECT_EQ(replay().applied, 2U);
  EXPECT_THAT(lines("SELECT * FROM public.t ORDER BY id"),
              ElementsAre("1|bad too|of bad too", "2|two|of two"));
}

TEST_F(ConflictTest, TheSourceWinsOverEachRowInItsWay) {
  const SchemaPtr schema = text_table(kTable, {"id", "a", "b"});
  start(OnConflict::source_wins, schema);
  database_->run(
      "CREATE UNIQUE INDEX ON public.t (lower(a)); CREATE UNIQUE INDEX ON public.t (b) WHERE a <> "
      "'free'; "
      "INSERT INTO public.t VALUES (-1, 'A', 'x'), (-2, 'z', 'b'), (-3, 'free', 'b'), (-4, NULL, "
      "'y')");
  Batch batch(schema, 0x2000);
  batch.insert({"1", "a", "b"}).insert({"2", nullptr, "y"});
  write(batch);
  EXPECT_THAT(lines("SELECT id FROM public.t ORDER BY id"), ElementsAre("-4", "-3", "1", "2"));
  EXPECT_EQ(take_counts().source_won, 1U);
}

TEST_F(ConflictTest, TheSourceWinsAlsoWithValuesThatItDidNotSend) {
  const SchemaPtr schema = text_table(kTable, {"id", "a", "b"});
  start(OnConflict::source_wins, schema);
  database_->run(
      "INSERT INTO public.t VALUES (1, 'old', 'large'), (-1, 'new', 'large'), (9, 'n', 'n'); "
      "CREATE UNIQUE INDEX ON public.t (a, b)");
  Batch batch(schema, 0x2000);
  batch.update({"1", "new", Cell::unchanged()});
  write(batch);
  Batch moved(schema, 0x3000);
  moved.update(OldRow::key, {"1", nullptr, nullptr}, {"9", "new", Cell::unchanged()});
  write(moved);
  EXPECT_THAT(lines("SELECT * FROM public.t"), ElementsAre("9|new|large"));
  EXPECT_EQ(take_counts().source_won, 2U);
}

TEST_F(ConflictTest, TheSourceWinsWhereNullsAreEqual) {
  if (std::stoi(database_->value("SHOW server_version_num")) < 150000)
    GTEST_SKIP() << "NULLS NOT DISTINCT came with PostgreSQL 15";
  const SchemaPtr schema = text_table(kTable, {"id", "a", "b"});
  start(OnConflict::source_wins, schema);
  database_->run(
      "CREATE UNIQUE INDEX ON public.t (a, b) NULLS NOT DISTINCT; CREATE UNIQUE INDEX ON public.t "
      "(b); INSERT INTO public.t VALUES (-1, NULL, 'x'), (-2, NULL, NULL), (-3, 'a', NULL)");
  Batch batch(schema, 0x2000);
  batch.insert({"1", nullptr, "x"}).insert({"2", nullptr, nullptr}).insert({"3", "b", nullptr});
  write(batch);
  EXPECT_THAT(lines("SELECT id FROM public.t ORDER BY id"), ElementsAre("-3", "1", "2", "3"));
  EXPECT_EQ(take_counts().source_won, 2U);
}

TEST_F(ConflictTest, AForeignKeyThatRefusesATruncateIsNamed) {
  const SchemaPtr schema = text_table(kTable, {"id"});
  start(OnConflict::error, schema);
  database_->run("CREATE TABLE public.theirs (id int REFERENCES public.t)");
  freshet::Run run;
  run.truncated = {&schema, 1};
  Group group;
  group.runs = {&run, 1};
  group.upto = {Lsn{0x2000}};
  group.is_complete = true;
  const auto written = destination_->write(group, Durability::may_defer);
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().kind(), ErrorKind::schema);
  EXPECT_EQ(written.error().find("table"), "public.t");
  EXPECT_EQ(written.error().find("detail"), "Table \"theirs\" references \"t\".");
  EXPECT_THAT(std::string{written.error().fix()}, testing::HasSubstr("drop the foreign key"));
}

TEST_F(ConflictTest, TheSourceWinsInPartitions) {
  const SchemaPtr schema = text_table(kTable, {"id", "a"});
  database_->run(
      "CREATE TABLE public.t (id integer PRIMARY KEY, a text) PARTITION BY RANGE (id); "
      "CREATE TABLE public.t1 PARTITION OF public.t FOR VALUES FROM (-100) TO (100); "
      "CREATE UNIQUE INDEX ON public.t1 (a)");
  start(OnConflict::source_wins, schema);
  database_->run("INSERT INTO public.t VALUES (-1, 'a'), (-2, 'b')");
  Batch batch(schema, 0x2000);
  batch.insert({"1", "a"});
  write(batch);
  EXPECT_THAT(lines("SELECT * FROM public.t ORDER BY id"), ElementsAre("-2|b", "1|a"));
}

TEST_F(ConflictTest, WhatTheSourceCannotWinIsAnError) {
  const SchemaPtr schema = text_table(kTable, {"id", "a"});
  start(OnConflict::source_wins, schema);
  database_->run("ALTER TABLE public.t ADD CHECK (a <> 'bad')");
  Batch batch(schema, 0x2000);
  batch.insert({"1", "bad"});
  const auto written = try_write(batch);
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().sqlstate(), "23514");
  EXPECT_EQ(take_counts().source_won, 0U);
}

TEST_F(ConflictTest, TheNewestWins) {
  const SchemaPtr schema = text_table(kTable, {"id", "a", "at"});
  start(OnConflict::newest_wins, schema);
  database_->run(
      "CREATE UNIQUE INDEX ON public.t (a); INSERT INTO public.t VALUES (-1, 'older', '10'), "
      "(-2, 'same', '20'), (-3, 'newer', '30'), (-4, 'unknown', NULL), (-5, 'nothing', '1'), "
      "(-6, 'neither', NULL)");
  Batch batch(schema, 0x2000);
  batch.insert({"1", "older", "20"}).insert({"2", "same", "20"}).insert({"3", "newer", "20"});
  batch.insert({"4", "unknown", "20"}).insert({"5", "nothing", nullptr});
  batch.insert({"6", "neither", nullptr}).insert({"7", "free", nullptr});
  write(batch);
  EXPECT_THAT(lines("SELECT id FROM public.t ORDER BY id"),
              ElementsAre("-6", "-5", "-3", "-2", "1", "4", "7"));
  const ConflictCounts counts = take_counts();
  EXPECT_EQ(counts.source_won, 2U);
  EXPECT_EQ(counts.skipped, 4U);
}

TEST_F(ConflictTest, TheNewestIsTheServersToTell) {
  const SchemaPtr schema = text_table(kTable, {"id", "a", "at"});
  database_->run(
      "CREATE TABLE public.t (id text PRIMARY KEY, a text UNIQUE, at text COLLATE \"C\")");
  start(OnConflict::newest_wins, schema);
  database_->run("INSERT INTO public.t VALUES (-1, 'x', 'a'), (-2, 'y', 'B')");
  Batch batch(schema, 0x2000);
  batch.insert({"1", "x", "B"}).insert({"2", "y", "a"});
  write(batch);
  EXPECT_THAT(lines("SELECT id FROM public.t ORDER BY id COLLATE \"C\""), ElementsAre("-1", "2"));
}

TEST_F(ConflictTest, WhoMeetsANewerRowAtLastLeavesAllWhereTheyWere) {
  const SchemaPtr schema = text_table(kTable, {"id", "a", "b", "at"});
  start(OnConflict::newest_wins, schema);
  database_->run(
      "CREATE UNIQUE INDEX ON public.t (a); CREATE UNIQUE INDEX ON public.t (b); "
      "INSERT INTO public.t VALUES (-1, 'a', 'x', '1'), (-2, 'y', 'b', '9'), (7, 'p', 'q', '5')");
  Batch batch(schema, 0x2000);
  batch.insert({"1", "a", "b", "5"}).update({"7", "a", Cell::unchanged(), "6"});
  write(batch);
  EXPECT_THAT(lines("SELECT * FROM public.t ORDER BY id"), ElementsAre("-2|y|b|9", "7|a|q|6"));
  const ConflictCounts counts = take_counts();
  EXPECT_EQ(counts.source_won, 1U);
  EXPECT_EQ(counts.skipped, 1U);
}

TEST_F(ConflictTest, WithoutItsColumnATableIsRefused) {
  open(OnConflict::newest_wins);
  const SchemaPtr schema = text_table(kTable, {"id", "a"});
  for (const Status& status :
       {destination_->check_table(schema), destination_->prepare_table(schema),
        destination_->prepare_tables({&schema, 1})}) {
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().find("column"), "at");
  }
}

TEST_F(ConflictTest, BytesThatCannotBeKeptAreAnError) {
  const SchemaPtr schema = text_table(kTable, {"id", "a"});
  start(OnConflict::quarantine, schema);
  Batch batch(schema, 0x2000);
  batch.insert({"1", "\xff"});
  const auto written = try_write(batch);
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().kind(), ErrorKind::data);
  EXPECT_EQ(written.error().find("table"), "public.t");
}

}  // namespace
}  // namespace freshet::postgres
