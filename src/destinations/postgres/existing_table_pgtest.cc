// What the Postgres destination does with tables that somebody else made there, and with what hangs
// on them, against the server of FRESHET_TEST_PG.
#include <gmock/gmock.h>

#include "destinations/contract/testing/batch.h"
#include "destinations/postgres/testing/destination_test.h"

namespace freshet::postgres {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing_rows::Batch;
using testing_rows::text_table;

const TableName kTable{"public", "t"};

/// A table whose rows are told apart by all of their values.
SchemaPtr table_without_key() {
  auto schema =
      std::make_shared<TableSchema>(*text_table(kTable, {"id", "v"}, ReplicaIdentity::full));
  schema->columns[0].primary_key_place = 0;
  schema->columns[0].is_not_null = false;
  return schema;
}

/// A table whose key is a text; `is_byte_comparable`: under a deterministic collation.
SchemaPtr table_with_text_key(bool is_byte_comparable) {
  auto schema = std::make_shared<TableSchema>();
  schema->name = kTable;
  Column key;
  key.name = "k";
  key.type = Oid{25};
  key.type_sql = "text";
  key.attnum = 1;
  key.is_not_null = true;
  key.is_identity = true;
  key.primary_key_place = 1;
  key.is_byte_comparable = is_byte_comparable;
  schema->columns.push_back(key);
  return schema;
}

class ExistingTableTest : public DestinationTest {
 protected:
  static void TearDownTestSuite() {
    if (database_ != nullptr)
      database_->run("DROP OWNED BY freshet_plain; DROP ROLE freshet_plain");
    DestinationTest::TearDownTestSuite();
  }

  void SetUp() override {
    DestinationTest::SetUp();
    if (database_ == nullptr) return;
    database_->run(
        "DO 'BEGIN CREATE ROLE freshet_plain; EXCEPTION WHEN duplicate_object THEN END'; "
        "GRANT ALL ON SCHEMA public TO freshet_plain");
    database_->run("GRANT CREATE ON DATABASE " + database_->value("SELECT current_database()") +
                   " TO freshet_plain");
  }

  static std::unique_ptr<Destination> make(const std::string& url) {
    return make_postgres_destination({.name = "copy", .url = url, .vector_index = {}}).value();
  }

  void open(const std::string& url = database_->url()) {
    destination_ = make(url);
    DestinationTest::open(*destination_);
  }

  /// Of a role that may not set session_replication_role.
  static std::string plain_url() {
    const std::string& url = database_->url();
    return url + (url.find('?') == std::string::npos ? "?" : "&") +
           "options=-c%20role%3Dfreshet_plain";
  }

  void write(std::span<const freshet::Run> runs, std::uint64_t end_lsn) {
    Group group;
    group.runs = runs;
    group.upto = {Lsn{end_lsn}};
    const auto written = destination_->write(group, Durability::may_defer);
    ASSERT_TRUE(written.ok()) << written.error().describe();
  }

  void write(const Batch& batch) {
    const freshet::Run run = batch.run();
    write({&run, 1}, to_integer(batch.position().end));
  }
};

TEST_F(ExistingTableTest, RowsOfTablesThatInheritAreNotTouched) {
  database_->run(
      "CREATE TABLE public.t (id int PRIMARY KEY, v text); "
      "CREATE TABLE public.heir (PRIMARY KEY (id)) INHERITS (public.t); "
      "INSERT INTO public.heir SELECT n, 'theirs' FROM generate_series(1, 9) n");
  open();
  const SchemaPtr schema = text_table(kTable, {"id", "v"});
  prepare(schema);
  ASSERT_TRUE(destination_->reset_table(schema).ok());
  const freshet::KeyBounds bounds{.columns = {"id"}, .from = {"1"}, .to = {"40"}};
  auto range = destination_->begin_range(schema, {.table = kTable, .replaced = bounds});
  ASSERT_TRUE(range.ok()) << range.error().describe();
  ASSERT_TRUE((*range)->raw_rows("1\tours\n2\tours\n3\tours\n4\tours\n5\tours\n").ok());
  ASSERT_TRUE((*range)->finish().ok());
  Batch many(schema, 0x2000);
  many.update({"1", "changed"}).update({"2", "changed"});
  many.remove(OldRow::key, {"3", nullptr}).remove(OldRow::key, {"4", nullptr});
  write(many);
  Batch one(schema, 0x3000);
  one.update(OldRow::key, {"5", nullptr}, {"6", "moved"});
  write(one);
  Batch last(schema, 0x4000);
  last.remove(OldRow::key, {"2", nullptr});
  write(last);
  EXPECT_THAT(lines("SELECT id, v FROM ONLY public.t ORDER BY id"),
              ElementsAre("1|changed", "6|moved"));
  Batch keys(schema);
  keys.remove(OldRow::key, {"1", nullptr}).remove(OldRow::key, {"9", nullptr});
  const std::vector<RowView> sought{keys.changes()[0].before, keys.changes()[1].before};
  const auto missing = destination_->find_missing(schema, sought);
  ASSERT_TRUE(missing.ok()) << missing.error().describe();
  EXPECT_THAT(*missing, ElementsAre(false, true));
  freshet::Run truncate;
  const std::vector<SchemaPtr> truncated{schema};
  truncate.truncated = truncated;
  write({&truncate, 1}, 0x5000);
  EXPECT_THAT(lines("SELECT count(*) FROM ONLY public.t"), ElementsAre("0"));
  EXPECT_THAT(lines("SELECT count(*), min(v), max(v) FROM public.heir"),
              ElementsAre("9|theirs|theirs"));
}

// The first row of each table lies at the same place of its file.
TEST_F(ExistingTableTest, ARowWithoutKeyIsNotTakenForOneAtTheSamePlaceOfAnotherTable) {
  database_->run(
      "CREATE TABLE public.t (id int, v text); CREATE TABLE public.heir () INHERITS (public.t)");
  open();
  const SchemaPtr schema = table_without_key();
  prepare(schema);
  Batch insert(schema, 0x2000);
  insert.insert({"1", "a"}).insert({"2", "b"}).insert({"3", "c"});
  write(insert);
  database_->run("INSERT INTO public.heir VALUES (1, 'a'), (7, 'theirs'), (3, 'c')");
  Batch one(schema, 0x3000);
  one.remove(OldRow::full, {"1", "a"});
  write(one);
  Batch many(schema, 0x4000);
  many.remove(OldRow::full, {"2", "b"}).remove(OldRow::full, {"3", "c"});
  write(many);
  EXPECT_THAT(lines("SELECT id FROM ONLY public.t"), ElementsAre());
  EXPECT_THAT(lines("SELECT id FROM public.heir ORDER BY id"), ElementsAre("1", "3", "7"));
}

TEST_F(ExistingTableTest, PartitionsAreWrittenByTheirRoot) {
  for (const SchemaPtr& schema : {text_table(kTable, {"id", "v"}), table_without_key()}) {
    SetUp();
    const bool has_key = schema->has_key();
    database_->run("CREATE TABLE public.t (id int, v text) PARTITION BY LIST (id)");
    if (has_key) database_->run("ALTER TABLE public.t ADD PRIMARY KEY (id)");
    database_->run(
        "CREATE TABLE public.odd PARTITION OF public.t FOR VALUES IN (1, 3); "
        "CREATE TABLE public.even PARTITION OF public.t FOR VALUES IN (2, 4)");
    open();
    prepare(schema);
    ASSERT_TRUE(destination_->reset_table(schema).ok());
    Batch insert(schema, 0x2000);
    insert.insert({"1", "a"}).insert({"2", "b"}).insert({"3", "c"}).insert({"4", "d"});
    write(insert);
    const OldRow old_row = has_key ? OldRow::key : OldRow::full;
    Batch one(schema, 0x3000);
    one.remove(old_row, {"1", "a"});
    write(one);
    EXPECT_THAT(lines("SELECT id FROM public.t ORDER BY id"), ElementsAre("2", "3", "4"));
    Batch many(schema, 0x4000);
    many.update(old_row, {"2", "b"}, {"1", "b"}).remove(old_row, {"4", "d"});
    write(many);
    EXPECT_THAT(lines("SELECT id, v FROM public.t ORDER BY id"), ElementsAre("1|b", "3|c"));
    freshet::Run truncate;
    const std::vector<SchemaPtr> truncated{schema};
    truncate.truncated = truncated;
    write({&truncate, 1}, 0x5000);
    EXPECT_THAT(lines("SELECT count(*) FROM public.t"), ElementsAre("0"));
  }
}

TEST_F(ExistingTableTest, ATriggerThatWouldFireIsRefused) {
  database_->run(
      "CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS "
      "'BEGIN NEW.v = ''changed''; RETURN NEW; END'; "
      "CREATE TABLE public.t (id int PRIMARY KEY, v text) PARTITION BY LIST (id); "
      "CREATE TABLE public.one PARTITION OF public.t FOR VALUES IN (1); "
      "ALTER TABLE public.t OWNER TO freshet_plain; "
      "CREATE TRIGGER \"Note\" BEFORE INSERT ON public.one FOR EACH ROW "
      "EXECUTE FUNCTION public.note()");
  const SchemaPtr schema = text_table(kTable, {"id", "v"});
  open(plain_url());
  const auto refused = [&](const Status& status) {
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().kind(), ErrorKind::setting) << status.error().describe();
    EXPECT_EQ(status.error().find("table"), "public.t");
    EXPECT_EQ(status.error().find("trigger"), "Note");
    EXPECT_THAT(status.error().fix(), HasSubstr("GRANT SET ON PARAMETER session_replication_role"));
    EXPECT_THAT(status.error().fix(),
                HasSubstr(R"(ALTER TABLE "public"."one" DISABLE TRIGGER "Note")"));
  };
  refused(destination_->prepare_table(schema));
  refused(destination_->prepare_tables({&schema, 1}));
  refused(make(plain_url())->check_table(schema));
  for (const char* way : {"DISABLE", "ENABLE REPLICA", "ENABLE ALWAYS"}) {
    database_->run(std::string{"ALTER TABLE public.one "} + way + " TRIGGER \"Note\"");
    const Status checked = make(plain_url())->check_table(schema);
    EXPECT_TRUE(checked.ok()) << way << checked.error().describe();
  }
  database_->run("ALTER TABLE public.one ENABLE TRIGGER \"Note\"");
  EXPECT_TRUE(make(database_->url())->check_table(schema).ok());
  open();
  prepare(schema);
  Batch batch(schema, 0x2000);
  batch.insert({"1", "as sent"});
  write(batch);
  EXPECT_THAT(lines("SELECT v FROM public.t"), ElementsAre("as sent"));
  // A pipeline that ran before is not asked for its tables anew.
  open(plain_url());
  Batch later(schema, 0x3000);
  later.update({"1", "as sent later"});
  const freshet::Run run = later.run();
  Group group;
  group.runs = {&run, 1};
  group.upto = later.position();
  const auto written = destination_->write(group, Durability::may_defer);
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().find("trigger"), "Note") << written.error().describe();
}

TEST_F(ExistingTableTest, ForeignKeysAreKeptWhereTheyFire) {
  database_->run(
      "CREATE TABLE public.parent (id int PRIMARY KEY); INSERT INTO public.parent VALUES (1); "
      "CREATE TABLE public.t (id int PRIMARY KEY REFERENCES public.parent, v text); "
      "ALTER TABLE public.t OWNER TO freshet_plain; "
      "GRANT SELECT, REFERENCES ON public.parent TO freshet_plain");
  open(plain_url());
  const SchemaPtr schema = text_table(kTable, {"id", "v"});
  prepare(schema);
  Batch batch(schema, 0x2000);
  batch.insert({"1", "a"});
  write(batch);
  EXPECT_THAT(lines("SELECT id FROM public.t"), ElementsAre("1"));
}

TEST_F(ExistingTableTest, AKeyThatTakesDifferentValuesForOneIsRefused) {
  auto connection = pg::Connection::open(
      {.url = database_->url(), .application_name = "freshet test", .interrupter = nullptr});
  const Status made = connection.value()->execute(
      "CREATE COLLATION public.caseless (provider = icu, locale = 'und-u-ks-level2', "
      "deterministic = false)");
  if (!made.ok()) GTEST_SKIP() << made.error().describe();
  open();
  const SchemaPtr schema = table_with_text_key(true);
  for (const char* ddl : {"CREATE TABLE public.t (k text COLLATE public.caseless PRIMARY KEY)",
                          "CREATE TABLE public.t (k text PRIMARY KEY); "
                          "CREATE UNIQUE INDEX ON public.t (k COLLATE public.caseless)",
                          "CREATE TABLE public.t (k text COLLATE public.caseless NOT NULL); "
                          "CREATE UNIQUE INDEX ON public.t (k COLLATE \"C\")"}) {
    database_->run("DROP TABLE IF EXISTS public.t");
    database_->run(ddl);
    for (const Status& status :
         {make(database_->url())->check_table(schema), destination_->prepare_table(schema)}) {
      ASSERT_FALSE(status.ok()) << ddl;
      EXPECT_EQ(status.error().kind(), ErrorKind::schema) << status.error().describe();
      EXPECT_EQ(status.error().find("column"), "k");
      EXPECT_THAT(status.error().fix(), HasSubstr("COLLATE \"C\""));
    }
  }
  // The source's key does so as well.
  const Status same = destination_->check_table(table_with_text_key(false));
  EXPECT_TRUE(same.ok()) << same.error().describe();
  database_->run("DROP TABLE public.t; CREATE TABLE public.t (k text PRIMARY KEY)");
  prepare(schema);
}

}  // namespace
}  // namespace freshet::postgres
