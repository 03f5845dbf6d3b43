// What belongs to tables and is made after their copy, against the server of FRESHET_TEST_PG. The
// whole, with a source and an engine: tests/test_full_schema.py.
#include <gmock/gmock.h>

#include "destinations/postgres/object_maker.h"
#include "destinations/postgres/object_records.h"
#include "destinations/postgres/progress.h"
#include "destinations/postgres/testing/test_database.h"

namespace freshet::postgres {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const std::string kPipeline = "demo";
const TableName kParent{"public", "parent"};
const TableName kChild{"public", "child"};

TableObject object(ObjectKind kind,
                   std::string name,
                   std::string definition,
                   TableName other = {}) {
  return {.kind = kind,
          .name = std::move(name),
          .definition = std::move(definition),
          .other = std::move(other),
          .judged = {}};
}

class ObjectTest : public testing::Test {
 protected:
  void SetUp() override {
    if (TestDatabase::server_url() == nullptr) GTEST_SKIP() << TestDatabase::kSkipReason;
    database_ = std::make_unique<TestDatabase>();
    connection_ = pg::Connection::open({.url = database_->url()}).value();
    ASSERT_TRUE(set_up(*connection_).ok());
    database_->run(
        "CREATE TABLE public.parent (id int PRIMARY KEY, v int);"
        "CREATE TABLE public.child (id int PRIMARY KEY, parent_id int, v int);"
        "INSERT INTO public.parent SELECT n, n FROM generate_series(1, 10) n;"
        "INSERT INTO public.child SELECT n, n, n / 2 FROM generate_series(1, 10) n");
    set_phase(kParent, "streaming");
    set_phase(kChild, "streaming");
  }

  void set_phase(const TableName& table, const std::string& phase) {
    database_->run("INSERT INTO freshet.tables VALUES ('demo', '" + table.schema + "', '" +
                   table.table + "', '" + phase +
                   "') ON CONFLICT (pipeline, schema, \"table\") DO UPDATE SET phase = "
                   "excluded.phase");
  }

  void record(const TableName& table, const std::vector<TableObject>& objects) {
    const Status recorded = record_objects(*connection_, kPipeline, table, objects);
    ASSERT_TRUE(recorded.ok()) << recorded.error().describe();
  }

  void make(const TableName& table) {
    const Status made = ObjectMaker{*connection_, kPipeline, table}.run();
    ASSERT_TRUE(made.ok()) << made.error().describe();
    EXPECT_FALSE(connection_->is_in_transaction());
  }

  std::vector<std::string> states() {
    return database_->lines("SELECT name, state FROM freshet.table_objects ORDER BY 1, place");
  }

  std::vector<TableName> to_complete() {
    return find_tables_to_complete(*connection_, kPipeline).value();
  }

  std::unique_ptr<TestDatabase> database_;
  std::unique_ptr<pg::Connection> connection_;
};

TEST_F(ObjectTest, WhatFailsIsRecordedAndTheRestIsMade) {
  record(kChild, {object(ObjectKind::column_default, "v", "public.nothing()"),
                  object(ObjectKind::unique_index, "v_once", "USING btree (v)"),
                  object(ObjectKind::index, "v_index", "USING btree (v); DROP TABLE public.parent"),
                  object(ObjectKind::index, "parent_index", "USING btree (parent_id)"),
                  object(ObjectKind::constraint, "v_once", "UNIQUE USING INDEX v_once"),
                  object(ObjectKind::constraint, "v_small", "CHECK (v < 5) NOT VALID"),
                  object(ObjectKind::validation, "v_small", "")});
  make(kChild);
  EXPECT_THAT(states(),
              ElementsAre("parent_index|built", "v|failed", "v_index|failed", "v_once|failed",
                          "v_once|failed", "v_small|built", "v_small|failed"));
  EXPECT_THAT(database_->lines("SELECT relname FROM pg_class WHERE relkind = 'i' AND "
                               "relnamespace = 'public'::regnamespace ORDER BY 1"),
              ElementsAre("child_pkey", "parent_index", "parent_pkey"));
  EXPECT_EQ(database_->value("SELECT count(*) FROM freshet.table_objects WHERE reason LIKE "
                             "'what it builds on%'"),
            "1");
  EXPECT_THAT(to_complete(), IsEmpty());

  database_->run("UPDATE public.child SET v = id - 8");
  ASSERT_TRUE(retry_objects(*connection_, kPipeline).ok());
  EXPECT_THAT(to_complete(), ElementsAre(kChild));
  make(kChild);
  EXPECT_THAT(states(),
              ElementsAre("parent_index|built", "v|failed", "v_index|failed", "v_once|built",
                          "v_once|built", "v_small|built", "v_small|built"));
}

TEST_F(ObjectTest, WhatAKillLeftIsMadeOnce) {
  database_->run(
      "CREATE INDEX theirs ON public.child (v);"
      "CREATE INDEX half ON public.child (v); CREATE INDEX whole ON public.child (id);"
      "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'public.half'::regclass");
  record(kChild, {object(ObjectKind::index, "theirs", "USING btree (v)"),
                  object(ObjectKind::index, "half", "USING btree (v)"),
                  object(ObjectKind::index, "whole", "USING btree (id)"),
                  object(ObjectKind::index, "parent_pkey", "USING btree (id)")});
  database_->run(
      "UPDATE freshet.table_objects SET state = 'building' WHERE name IN ('half', 'whole')");
  make(kChild);
  EXPECT_THAT(states(),
              ElementsAre("half|built", "parent_pkey|failed", "theirs|found", "whole|built"));
  EXPECT_EQ(database_->value("SELECT bool_and(indisvalid) FROM pg_index"), "t");
  // A new copy takes away what is ours, and no more.
  ASSERT_TRUE(drop_objects(*connection_, kPipeline, kChild).ok());
  EXPECT_THAT(database_->lines("SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = "
                               "indexrelid WHERE indrelid = 'public.child'::regclass ORDER BY 1"),
              ElementsAre("child_pkey", "theirs"));
  EXPECT_THAT(states(), IsEmpty());
}

TEST_F(ObjectTest, AForeignKeyStandsWhileBothTablesStream) {
  record(kChild, {object(ObjectKind::foreign_key, "up",
                         "FOREIGN KEY (parent_id) REFERENCES public.parent NOT VALID", kParent),
                  object(ObjectKind::validation, "up", "", kParent)});
  set_phase(kParent, "copying");
  EXPECT_THAT(to_complete(), IsEmpty());
  make(kChild);
  EXPECT_THAT(states(), ElementsAre("up|wanted", "up|wanted"));
  set_phase(kParent, "streaming");
  make(kChild);
  EXPECT_THAT(states(), ElementsAre("up|built", "up|built"));
  const char* valid = "SELECT convalidated FROM pg_constraint WHERE conname = 'up'";
  EXPECT_EQ(database_->value(valid), "t");
  ASSERT_TRUE(release_foreign_keys(*connection_, kPipeline, kParent).ok());
  EXPECT_THAT(database_->lines(valid), IsEmpty());
  make(kChild);
  EXPECT_EQ(database_->value(valid), "t");
}

TEST_F(ObjectTest, ASequenceIsMovedOnAndNeverBack) {
  const TableName sequence{"public", "numbers"};
  record(kChild,
         {object(ObjectKind::sequence, "id", "AS bigint INCREMENT BY 2 START WITH 7", sequence),
          object(ObjectKind::sequence_value, "id", "21", sequence),
          object(ObjectKind::sequence_value, "id", "9", sequence),
          object(ObjectKind::sequence_value, "", "", sequence),
          object(ObjectKind::column_default, "id", "nextval('public.numbers'::regclass)")});
  make(kChild);
  EXPECT_EQ(database_->value("SELECT nextval(pg_get_serial_sequence('public.child', 'id'))"), "23");
  EXPECT_EQ(database_->value("SELECT count(*) FROM freshet.table_objects WHERE state = 'failed'"),
            "1");
}

}  // namespace
}  // namespace freshet::postgres
