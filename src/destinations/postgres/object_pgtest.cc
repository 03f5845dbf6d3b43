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

  Error fail_to_make(const TableName& table) {
    const Status made = ObjectMaker{*connection_, kPipeline, table}.run();
    EXPECT_FALSE(made.ok());
    EXPECT_FALSE(connection_->is_in_transaction());
    return made.ok() ? Error{ErrorKind::internal, "it was made"} : made.error();
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
  ASSERT_TRUE(release_foreign_keys(*connection_, kPipeline, {&kParent, 1}).ok());
  EXPECT_THAT(database_->lines(valid), IsEmpty());
  make(kChild);
  EXPECT_EQ(database_->value(valid), "t");
}

TEST_F(ObjectTest, AForeignKeyWaitsForTheUniqueKeyThatItRefersTo) {
  record(kChild, {object(ObjectKind::foreign_key, "up",
                         "FOREIGN KEY (parent_id) REFERENCES public.parent (v) NOT VALID", kParent),
                  object(ObjectKind::foreign_key, "self",
                         "FOREIGN KEY (v) REFERENCES public.child (parent_id) NOT VALID", kChild)});
  record(kParent, {object(ObjectKind::unique_index, "v_once", "USING btree (v)"),
                   object(ObjectKind::constraint, "v_once", "UNIQUE USING INDEX v_once")});
  make(kChild);
  EXPECT_THAT(states(), ElementsAre("self|failed", "up|wanted", "v_once|wanted", "v_once|wanted"));
  EXPECT_THAT(find_referring_tables(*connection_, kPipeline, kParent).value(), IsEmpty());
  make(kParent);
  EXPECT_THAT(find_referring_tables(*connection_, kPipeline, kParent).value(), ElementsAre(kChild));
  make(kChild);
  EXPECT_THAT(states(), ElementsAre("self|failed", "up|built", "v_once|built", "v_once|built"));
  EXPECT_THAT(find_referring_tables(*connection_, kPipeline, kParent).value(), IsEmpty());
  EXPECT_THAT(find_linked_tables(*connection_, kPipeline, {&kParent, 1}).value(),
              ElementsAre(kChild));
}

TEST_F(ObjectTest, WhatATruncateOfSomeTablesAllowsStays) {
  record(kChild, {object(ObjectKind::foreign_key, "up",
                         "FOREIGN KEY (parent_id) REFERENCES public.parent NOT VALID", kParent)});
  make(kChild);
  const std::vector<TableName> both{kChild, kParent};
  const auto release = [&](std::span<const TableName> tables) {
    return release_foreign_keys(*connection_, kPipeline, tables, Release::from_elsewhere).value();
  };
  EXPECT_EQ(release(both), 0U);
  EXPECT_EQ(release({&kChild, 1}), 0U);
  database_->run("TRUNCATE public.parent, public.child; TRUNCATE public.child");
  EXPECT_EQ(release({&kParent, 1}), 1U);
  database_->run("TRUNCATE public.parent");
  EXPECT_THAT(states(), ElementsAre("up|wanted"));
}

TEST_F(ObjectTest, AForeignKeyThatIsBeingReleasedIsNotMade) {
  record(kChild, {object(ObjectKind::foreign_key, "up",
                         "FOREIGN KEY (parent_id) REFERENCES public.parent NOT VALID", kParent)});
  const auto lane = pg::Connection::open({.url = database_->url()}).value();
  ASSERT_TRUE(lane->execute("BEGIN").ok());
  ASSERT_TRUE(release_foreign_keys(*lane, kPipeline, {&kParent, 1}).ok());
  ASSERT_TRUE(record_phase(*lane, kPipeline, {&kParent, 1}, TablePhase::paused).ok());
  EXPECT_EQ(fail_to_make(kChild).sqlstate(), "55P03");
  ASSERT_TRUE(lane->execute("COMMIT").ok());
  make(kChild);
  EXPECT_THAT(states(), ElementsAre("up|wanted"));
}

TEST_F(ObjectTest, ACopyTakesOffDefaultsAndIdentitiesOfOurs) {
  database_->run("ALTER TABLE public.child ALTER parent_id SET NOT NULL, ADD own int DEFAULT 3");
  record(kChild, {object(ObjectKind::identity, "parent_id", "START WITH 5"),
                  object(ObjectKind::column_default, "v", "8"),
                  object(ObjectKind::column_default, "own", "8")});
  make(kChild);
  EXPECT_THAT(states(), ElementsAre("own|found", "parent_id|built", "v|built"));
  ASSERT_TRUE(drop_objects(*connection_, kPipeline, kChild).ok());
  EXPECT_THAT(database_->lines("SELECT attname FROM pg_attribute WHERE (atthasdef OR attidentity "
                               "<> '') AND attrelid = 'public.child'::regclass"),
              ElementsAre("own"));
  // As the source has it by then; what became of a column here is nobody's business.
  record(kChild, {object(ObjectKind::column_default, "v", "9")});
  make(kChild);
  EXPECT_EQ(database_->value("SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adnum = 3 "
                             "AND adrelid = 'public.child'::regclass"),
            "9");
  database_->run("ALTER TABLE public.child DROP COLUMN v");
  EXPECT_TRUE(drop_objects(*connection_, kPipeline, kChild).ok());
}

TEST_F(ObjectTest, ALockThatIsNotToBeHadIsTold) {
  record(kChild, {object(ObjectKind::column_default, "v", "8")});
  const auto reader =
      pg::Connection::open({.url = database_->url(), .application_name = "a reader"}).value();
  ASSERT_TRUE(reader->execute("BEGIN; LOCK TABLE public.child IN ACCESS SHARE MODE").ok());
  const Error error = fail_to_make(kChild);
  EXPECT_EQ(error.sqlstate(), "55P03");
  EXPECT_EQ(error.find("table"), "public.child");
  EXPECT_EQ(error.find("object"), "v");
  EXPECT_THAT(std::string{error.find("lock_held_by")}, testing::HasSubstr("a reader"));
  ASSERT_TRUE(reader->execute("COMMIT").ok());
  make(kChild);
  EXPECT_THAT(states(), ElementsAre("v|built"));
}

TEST_F(ObjectTest, WhatIsGivenUpKeepsNothingElseBack) {
  database_->run(
      "CREATE FUNCTION public.no_room(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS "
      "$$BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = '53100'; END$$");
  record(kChild, {object(ObjectKind::index, "big", "USING btree (public.no_room(v))"),
                  object(ObjectKind::index, "small", "USING btree (v)")});
  const Error error = fail_to_make(kChild);
  EXPECT_EQ(error.sqlstate(), "53100");
  EXPECT_EQ(error.find("object"), "big");
  ObjectMaker maker{*connection_, kPipeline, kChild, {.gives_up_on = "big"}};
  ASSERT_TRUE(maker.run().ok());
  EXPECT_THAT(states(), ElementsAre("big|failed", "small|built"));
  EXPECT_EQ(database_->value("SELECT reason FROM freshet.table_objects WHERE name = 'big'"),
            "no room");
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
