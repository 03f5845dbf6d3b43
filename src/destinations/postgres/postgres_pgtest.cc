// What the Postgres destination does beyond the contract, against the server of FRESHET_TEST_PG.
#include <chrono>
#include <cstdlib>
#include <thread>

#include <gmock/gmock.h>
#include <libpq-fe.h>

#include "destinations/contract/testing/batch.h"
#include "destinations/postgres/testing/destination_test.h"

namespace freshet::postgres {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing_rows::Batch;
using testing_rows::Cell;
using testing_rows::Cells;

struct ColumnSpec {
  std::string name;
  std::string type = "text";
  bool is_key = false;
  bool is_byte_comparable = true;
  bool is_derived = false;
};

std::shared_ptr<TableSchema> table(const std::string& name,
                                   const std::vector<ColumnSpec>& columns,
                                   ReplicaIdentity identity = ReplicaIdentity::standard) {
  auto schema = std::make_shared<TableSchema>();
  schema->name = {.schema = "public", .table = name};
  schema->identity = identity;
  std::int16_t place = 0;
  for (const ColumnSpec& spec : columns) {
    Column column;
    column.name = spec.name;
    column.type_sql = spec.type;
    column.attnum =
        spec.is_derived ? std::int16_t{0} : static_cast<std::int16_t>(schema->columns.size() + 1);
    column.is_not_null = spec.is_key;
    column.is_identity = spec.is_key || identity == ReplicaIdentity::full;
    if (spec.is_key) column.primary_key_place = ++place;
    column.is_derived = spec.is_derived;
    column.is_byte_comparable = spec.is_byte_comparable;
    schema->columns.push_back(column);
  }
  return schema;
}

class PostgresDestinationTest : public DestinationTest {
 protected:
  std::unique_ptr<Destination> make() {
    auto made =
        make_postgres_destination({.name = "copy", .url = database_->url(), .vector_index = {}});
    return std::move(made).value();
  }

  void start(const SchemaPtr& schema) {
    destination_ = make();
    open(*destination_);
    prepare(schema);
  }

  Result<Position> try_write(const Batch& batch) {
    const freshet::Run run = batch.run();
    Group group;
    group.runs = {&run, 1};
    group.upto = batch.position();
    return destination_->write(group, Durability::may_defer);
  }

  void write(const Batch& batch) {
    const auto written = try_write(batch);
    ASSERT_TRUE(written.ok()) << written.error().describe();
  }

  std::string position() { return database_->value("SELECT position FROM freshet.progress"); }
};

TEST_F(PostgresDestinationTest, TableHasTheSourcesTypesAndKeys) {
  database_->run("CREATE TYPE public.mood AS ENUM ('a', 'b')");
  const SchemaPtr schema = table("t", {{.name = "b", .type = "uuid", .is_key = true},
                                       {.name = "n", .type = "numeric(12,2)"},
                                       {.name = "m", .type = "public.mood"},
                                       {.name = "gone", .type = "public.nowhere[]"},
                                       {.name = "a", .type = "integer[]"}});
  start(schema);
  EXPECT_THAT(
      lines("SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute "
            "WHERE attrelid = 'public.t'::regclass AND attnum > 0 ORDER BY attnum"),
      ElementsAre("b|uuid|t", "n|numeric(12,2)|f", "m|public.mood|f", "gone|text|f",
                  "a|integer[]|f"));
  prepare(schema);
  EXPECT_THAT(lines("SELECT phase FROM freshet.tables"), ElementsAre("copying"));
}

TEST_F(PostgresDestinationTest, RowsAreAddressedByIdentityNotByPrimaryKey) {
  auto schema = table("t", {{.name = "id", .type = "bigint"}, {.name = "email"}, {.name = "note"}},
                      ReplicaIdentity::index);
  schema->columns[0].primary_key_place = 1;
  schema->columns[1].is_identity = true;
  schema->columns[1].is_not_null = true;
  start(schema);
  Batch insert(schema, 0x2000);
  insert.insert({"1", "a@x", "n"}).insert({"5", "b@x", "n"});
  write(insert);
  Batch change(schema, 0x3000);
  change.update({"2", "a@x", Cell::unchanged()}).remove(OldRow::key, {nullptr, "b@x", nullptr});
  write(change);
  EXPECT_THAT(lines("SELECT * FROM public.t ORDER BY 1"), ElementsAre("2|a@x|n"));
}

TEST_F(PostgresDestinationTest, RowsThatAreMissingAreFoundByTheirKeysBetweenGroupsAndParts) {
  const SchemaPtr schema = table("t", {{.name = "v"},
                                       {.name = "id", .type = "bigint", .is_key = true},
                                       {.name = "k", .is_key = true}});
  start(schema);
  Batch insert(schema, 0x2000);
  insert.insert({"v", "1", "it's {\"},\\"}).insert({"v", "2", ""});
  write(insert);
  Batch keys(schema);
  keys.insert({nullptr, "1", "it's {\"},\\"})
      .insert({nullptr, "2", "x"})
      .insert({nullptr, "2", ""});
  std::vector<RowView> rows;
  for (const Change& change : keys.changes())
    rows.push_back(change.after);
  const auto missing = destination_->find_missing(schema, rows);
  ASSERT_TRUE(missing.ok()) << missing.error().describe();
  EXPECT_THAT(*missing, ElementsAre(false, true, false));
  Batch part(schema, 0x3000);
  part.insert({"v", "2", "x"}).remove(OldRow::key, {nullptr, "2", ""});
  const freshet::Run run = part.run();
  Group group{.runs = {&run, 1}, .phases = {}, .upto = {}, .is_complete = false};
  ASSERT_TRUE(destination_->write(group, Durability::may_defer).ok());
  const auto now = destination_->find_missing(schema, rows);
  ASSERT_TRUE(now.ok()) << now.error().describe();
  EXPECT_THAT(*now, ElementsAre(false, false, true));
}

TEST_F(PostgresDestinationTest, ManyOfEachKindInOneGroupEndInTheLastState) {
  const SchemaPtr schema = table(
      "t", {{.name = "id", .type = "bigint", .is_key = true}, {.name = "v"}, {.name = "big"}});
  start(schema);
  Batch insert(schema, 0x2000);
  for (int i = 0; i < 500; ++i)
    insert.insert({std::to_string(i), "a\tb\\c", i % 2 == 0 ? "x" : "y"});
  write(insert);
  Batch change(schema, 0x3000);
  for (int i = 0; i < 100; ++i) {
    change.update({std::to_string(i), "partly", Cell::unchanged()});
    change.update({std::to_string(i + 100), "whole", nullptr});
    change.remove(OldRow::key, {std::to_string(i + 200), nullptr, nullptr});
    change.update(OldRow::key, {std::to_string(i + 300), nullptr, nullptr},
                  {std::to_string(i + 1300), "moved", "z"});
    change.insert({std::to_string(i + 2000), "new", "n"});
    change.update({std::to_string(i + 2000), "newer", Cell::unchanged()});
  }
  change.insert({"9000", "short-lived", ""}).remove(OldRow::key, {"9000", nullptr, nullptr});
  change.remove(OldRow::key, {"400", nullptr, nullptr}).insert({"400", "again", "g"});
  write(change);
  EXPECT_THAT(
      lines("SELECT v, big, count(*), min(id), max(id) FROM public.t GROUP BY 1, 2 ORDER BY 1, 2"),
      ElementsAre("a\tb\\c|x|49|402|498", "a\tb\\c|y|50|401|499", "again|g|1|400|400",
                  "moved|z|100|1300|1399", "newer|n|100|2000|2099", "partly|x|50|0|98",
                  "partly|y|50|1|99", "whole|-|100|100|199"));
}

TEST_F(PostgresDestinationTest, EqualSchemasAreOneTableAndVersionsKeepTheirOrder) {
  const SchemaPtr schema =
      table("t", {{.name = "id", .type = "integer", .is_key = true}, {.name = "v"}});
  start(schema);
  const SchemaPtr twin = std::make_shared<const TableSchema>(*schema);
  auto newer = std::make_shared<TableSchema>(*schema);
  newer->version = 2;
  Batch first(schema, 0x2000);
  first.insert({"1", "a"}).insert({"2", "a"});
  Batch second(twin, 0x2000);
  second.remove(OldRow::key, {"1", nullptr});
  Batch third(newer, 0x2000);
  third.remove(OldRow::key, {"2", nullptr}).insert({"3", "c"});
  Batch fourth(schema, 0x2000);
  fourth.insert({"1", "d"}).remove(OldRow::key, {"3", nullptr});
  const std::vector<freshet::Run> runs{first.run(), second.run(), third.run(), fourth.run()};
  Group group;
  group.runs = runs;
  group.upto = {Lsn{0x2000}};
  const auto written = destination_->write(group, Durability::may_defer);
  ASSERT_TRUE(written.ok()) << written.error().describe();
  EXPECT_THAT(lines("SELECT * FROM public.t"), ElementsAre("1|d"));
}

TEST_F(PostgresDestinationTest, CopyOntoRowsThatAreThereFallsBack) {
  const SchemaPtr schema =
      table("t", {{.name = "id", .type = "integer", .is_key = true}, {.name = "v"}});
  start(schema);
  database_->run("INSERT INTO public.t VALUES (7, 'old')");
  Batch insert(schema, 0x2000);
  for (int i = 0; i < 300; ++i)
    insert.insert({std::to_string(i), "new"});
  write(insert);
  EXPECT_THAT(lines("SELECT v, count(*) FROM public.t GROUP BY 1"), ElementsAre("new|300"));
  EXPECT_EQ(position(), "0/2000");
}

TEST_F(PostgresDestinationTest, ValueOfASecondUniqueIndexMovesBetweenRows) {
  const SchemaPtr schema =
      table("t", {{.name = "id", .type = "integer", .is_key = true}, {.name = "v"}});
  start(schema);
  database_->run("CREATE UNIQUE INDEX ON public.t (v)");
  Batch insert(schema, 0x2000);
  insert.insert({"1", "x"}).insert({"2", "y"});
  write(insert);
  Batch change(schema, 0x3000);
  change.update({"2", "z"}).update({"1", "y"}).insert({"3", "x"});
  write(change);
  EXPECT_THAT(lines("SELECT * FROM public.t ORDER BY 1"), ElementsAre("1|y", "2|z", "3|x"));
}

TEST_F(PostgresDestinationTest, NumericKeysAreEqualByValue) {
  const SchemaPtr schema =
      table("t", {{.name = "k", .type = "numeric", .is_key = true, .is_byte_comparable = false},
                  {.name = "v"}});
  start(schema);
  Batch batch(schema, 0x2000);
  batch.insert({"1.0", "a"})
      .update(OldRow::key, {"1.0", nullptr}, {"1.00", "b"})
      .update({"1.00", Cell::unchanged()})
      .insert({"2", "c"})
      .remove(OldRow::key, {"2.0", nullptr});
  write(batch);
  EXPECT_THAT(lines("SELECT * FROM public.t"), ElementsAre("1.00|b"));
}

TEST_F(PostgresDestinationTest, KeyMovesWithAValueThatWasNotSent) {
  const SchemaPtr schema =
      table("t", {{.name = "id", .type = "integer", .is_key = true}, {.name = "big"}});
  start(schema);
  Batch insert(schema, 0x2000);
  insert.insert({"1", "large"});
  write(insert);
  Batch move(schema, 0x3000);
  move.update(OldRow::key, {"1", nullptr}, {"1000", Cell::unchanged()});
  move.update(OldRow::key, {"1000", nullptr}, {Cell::unchanged(), "larger"});
  write(move);
  EXPECT_THAT(lines("SELECT * FROM public.t"), ElementsAre("1000|larger"));
}

TEST_F(PostgresDestinationTest, DuplicatesUnderFullAreTouchedOnce) {
  const SchemaPtr schema = table("t",
                                 {{.name = "a", .type = "integer"},
                                  {.name = "j", .type = "json"},
                                  {.name = "p", .type = "point"},
                                  {.name = "f", .type = "boolean"}},
                                 ReplicaIdentity::full);
  start(schema);
  const Cells same{"1", "{\"a\": 1}", "(1,2)", "t"};
  const Cells nulls{nullptr, nullptr, nullptr, nullptr};
  Batch insert(schema, 0x2000);
  insert.insert(same).insert(same).insert(same).insert(nulls).insert(nulls);
  write(insert);
  Batch change(schema, 0x3000);
  change.remove(OldRow::full, same)
      .update(OldRow::full, same, {"2", Cell::unchanged(), "(1,2)", "f"})
      .remove(OldRow::full, nulls);
  write(change);
  EXPECT_THAT(lines("SELECT a, j, p, f FROM public.t ORDER BY 1"),
              ElementsAre("1|{\"a\": 1}|(1,2)|t", "2|{\"a\": 1}|(1,2)|f", "-|-|-|-"));
}

TEST_F(PostgresDestinationTest, ManyRowsWithoutKeyAreFoundInOneReading) {
  const SchemaPtr schema = table(
      "t", {{.name = "a", .type = "numeric"}, {.name = "t"}, {.name = "d", .is_derived = true}},
      ReplicaIdentity::full);
  start(schema);
  database_->run(
      "INSERT INTO public.t SELECT i, 'row ' || i, 'derived' FROM generate_series(1, 20000) i;"
      "INSERT INTO public.t VALUES (-1.0, 'x'), (-1.00, 'x'), (-2, ''), (-2, NULL), (-2, NULL),"
      "(-3, repeat('x', 5000)), (-3, repeat('x', 5000))");
  Batch batch(schema, 0x2000);
  for (int i = 1; i <= 2000; ++i)
    batch.remove(OldRow::full, {std::to_string(i), "row " + std::to_string(i), nullptr});
  batch.remove(OldRow::full, {"-1.00", "x", nullptr})
      .remove(OldRow::full, {"-2", nullptr, nullptr})
      .remove(OldRow::full, {"-3", std::string(5000, 'x'), nullptr})
      .remove(OldRow::full, {"-3", std::string(5000, 'x'), nullptr})
      .remove(OldRow::full, {"-4", nullptr, nullptr});
  write(batch);
  EXPECT_THAT(lines("SELECT a, t FROM public.t WHERE a < 0 ORDER BY a DESC, t"),
              ElementsAre("-1.0|x", "-2|", "-2|-"));
  EXPECT_EQ(database_->value("SELECT min(a) FROM public.t WHERE a > 0"), "2001");
}

TEST_F(PostgresDestinationTest, PartialUpdateOfAMissingRowIsLoud) {
  const SchemaPtr schema = table(
      "t", {{.name = "id", .type = "integer", .is_key = true}, {.name = "v"}, {.name = "big"}});
  start(schema);
  Batch batch(schema, 0x2000);
  batch.update({"1", "secret value", Cell::unchanged()});
  const auto written = try_write(batch);
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().kind(), ErrorKind::data);
  EXPECT_EQ(written.error().find("table"), "public.t");
  EXPECT_EQ(written.error().find("lsn"), "0/1FF8");
  EXPECT_EQ(written.error().describe().find("secret"), std::string::npos);
  EXPECT_EQ(position(), "0/1000");
  // The destination goes on; a delete of what is not there is no error, a whole update makes it.
  Batch next(schema, 0x2000);
  next.remove(OldRow::key, {"3", nullptr, nullptr}).update({"1", "v", "w"});
  write(next);
  EXPECT_THAT(lines("SELECT * FROM public.t"), ElementsAre("1|v|w"));
}

TEST_F(PostgresDestinationTest, ErrorsHoldNoRowValues) {
  const SchemaPtr schema =
      table("t", {{.name = "id", .type = "integer", .is_key = true}, {.name = "v"}});
  start(schema);
  database_->run("ALTER TABLE public.t ADD CHECK (v <> 'secret value')");
  Batch batch(schema, 0x2000);
  batch.insert({"1", "secret value"});
  const auto written = try_write(batch);
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().kind(), ErrorKind::data) << written.error().describe();
  EXPECT_EQ(written.error().describe().find("secret"), std::string::npos);
}

TEST_F(PostgresDestinationTest, TypesKeepTheirText) {
  const std::vector<std::pair<std::string, std::string>> values{
      {"\"char\"", "x"},
      {"name", "n"},
      {"character(5)", "ab   "},
      {"bit(5)", "10110"},
      {"bit varying(9)", "101"},
      {"xml", "a<b/>"},
      {"integer[]", "[0:1]={7,8}"},
      {"text[]", "{\"a,b\",NULL,\"q\\\"\",\"\\\\\"}"},
      {"numeric", "NaN"},
      {"numeric", "-Infinity"},
      {"numeric(10,2)", "1.50"},
      {"double precision", "-0"},
      {"double precision", "0.30000000000000004"},
      {"real", "Infinity"},
      {"date", "4713-01-01 BC"},
      {"date", "infinity"},
      {"timestamp with time zone", "294276-12-31 23:59:59+00"},
      {"time without time zone", "24:00:00"},
      {"interval", "1 mon -1 days +00:00:01"},
      {"bytea", "\\x00ff"},
      {"json", "{\"b\":1, \"a\":2}"},
      {"jsonb", "{\"a\": 2}"},
      {"point", "(1,2)"},
      {"inet", "10.0.0.1/8"},
      {"int4range", "[1,5)"},
      {"tsvector", "'a':1 'b'"},
      {"money", "$1.50"},
      {"character varying(3)", "abc"},
      {"text", ""},
      {"boolean", "t"},
      {"uuid", "11111111-2222-3333-4444-555555555555"}};
  std::vector<ColumnSpec> columns{{.name = "id", .type = "integer", .is_key = true}};
  Cells one{"1"};
  Cells two{"2"};
  Cells three{"3"};
  const bool has_xml =
      database_->value("SELECT count(*) FROM pg_config WHERE setting LIKE '%--with-libxml%'") ==
      "1";
  for (const auto& [type, value] : values) {
    if (type == "xml" && !has_xml) continue;
    columns.push_back({.name = "c" + std::to_string(columns.size()), .type = type});
    for (Cells* row : {&one, &two, &three})
      row->emplace_back(value);
  }
  const SchemaPtr schema = table("t", columns);
  start(schema);
  Batch single(schema, 0x2000);
  single.insert(one);
  write(single);
  Batch both(schema, 0x3000);
  both.insert(two).insert(three);
  write(both);
  const pg::Rows rows = database_->rows("SELECT * FROM public.t ORDER BY id");
  ASSERT_EQ(rows.rows(), 3);
  for (int row = 0; row < 3; ++row) {
    for (std::size_t i = 1; i < one.size(); ++i) {
      EXPECT_EQ(rows.text(row, static_cast<int>(i)), one[i].text) << columns[i].type;
    }
  }
}

TEST_F(PostgresDestinationTest, UserTypesKeepTheirTextAndAddressRows) {
  database_->run(
      "CREATE TYPE public.pair AS (x int, y text); CREATE TYPE public.mood AS ENUM ('a', 'b'); "
      "CREATE DOMAIN public.positive AS int CHECK (value > 0)");
  const SchemaPtr schema = table("t", {{.name = "id", .type = "public.mood", .is_key = true},
                                       {.name = "p", .type = "public.pair"},
                                       {.name = "d", .type = "public.positive"}});
  start(schema);
  Batch batch(schema, 0x2000);
  batch.insert({"a", "(1,\"x y\")", "3"}).insert({"b", "(,)", nullptr});
  write(batch);
  Batch change(schema, 0x3000);
  change.update({"a", Cell::unchanged(), "4"}).remove(OldRow::key, {"b", nullptr, nullptr});
  write(change);
  EXPECT_THAT(lines("SELECT * FROM public.t"), ElementsAre("a|(1,\"x y\")|4"));
}

TEST_F(PostgresDestinationTest, TruncateOfSeveralTablesKeepsItsPlace) {
  const SchemaPtr a = table("a", {{.name = "id", .type = "integer", .is_key = true}});
  const SchemaPtr b = table("b", {{.name = "id", .type = "integer", .is_key = true}});
  start(a);
  prepare(b);
  Batch before(a, 0x2000);
  before.insert({"1"});
  Batch after(a, 0x2000);
  after.insert({"2"});
  Batch other(b, 0x2000);
  other.insert({"3"});
  const std::vector<SchemaPtr> both{a, b};
  freshet::Run truncate;
  truncate.truncated = both;
  truncate.restarts_identity = true;
  const std::vector<freshet::Run> runs{before.run(), other.run(), truncate, after.run()};
  Group group;
  group.runs = runs;
  group.upto = {Lsn{0x2000}};
  const auto written = destination_->write(group, Durability::required);
  ASSERT_TRUE(written.ok()) << written.error().describe();
  EXPECT_EQ(written->end, Lsn{0x2000});
  EXPECT_THAT(lines("SELECT 'a', id FROM public.a UNION ALL SELECT 'b', id FROM public.b"),
              ElementsAre("a|2"));
}

TEST_F(PostgresDestinationTest, OlderWritersAndRangesAreFenced) {
  const SchemaPtr schema = table("t", {{.name = "id", .type = "integer", .is_key = true}});
  start(schema);
  ASSERT_TRUE(destination_->reset_table(schema).ok());
  auto range = destination_->begin_range(schema, {.table = schema->name});
  ASSERT_TRUE(range.ok());
  ASSERT_TRUE((*range)->raw_rows("1\n2\n").ok());
  const auto second = make();
  open(*second);
  Status finished = (*range)->finish();
  ASSERT_FALSE(finished.ok());
  EXPECT_EQ(finished.error().kind(), ErrorKind::fenced) << finished.error().describe();
  Batch batch(schema, 0x2000);
  batch.insert({"1"});
  const auto written = try_write(batch);
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().kind(), ErrorKind::fenced) << written.error().describe();
  range->reset();
  EXPECT_THAT(lines("SELECT count(*) FROM public.t"), ElementsAre("0"));
}

TEST_F(PostgresDestinationTest, ARangeOfAKeyThatIsTextHereIsNotReplaced) {
  database_->run("CREATE TABLE public.t (id text PRIMARY KEY)");
  const SchemaPtr schema = table("t", {{.name = "id", .type = "integer", .is_key = true}});
  start(schema);
  ASSERT_TRUE(destination_->reset_table(schema).ok());
  const freshet::KeyBounds bounds{.columns = {"id"}, .from = {"20"}, .to = {"40"}};
  const auto range = destination_->begin_range(schema, {.table = schema->name, .replaced = bounds});
  ASSERT_FALSE(range.ok());
  EXPECT_EQ(range.error().kind(), ErrorKind::schema) << range.error().describe();
  EXPECT_THAT(range.error().fix(), HasSubstr("copy: snapshot"));
  database_->run("ALTER TABLE public.t ALTER id TYPE bigint USING id::bigint");
  EXPECT_TRUE(destination_->begin_range(schema, {.table = schema->name, .replaced = bounds}).ok());
}

TEST_F(PostgresDestinationTest, AWriterThatSitsInATransactionIsEnded) {
  const SchemaPtr schema = table("t", {{.name = "id", .type = "integer", .is_key = true}});
  start(schema);
  Batch batch(schema, 0x2000);
  batch.insert({"1"});
  const freshet::Run part = batch.run();
  Group group;
  group.runs = {&part, 1};
  group.is_complete = false;
  ASSERT_TRUE(destination_->write(group, Durability::may_defer).ok());
  const auto second = make();
  open(*second);
  EXPECT_EQ(state_.position, Position{Lsn{0x1000}});
  EXPECT_THAT(lines("SELECT count(*) FROM public.t"), ElementsAre("0"));
  group.upto = {Lsn{0x2000}};
  group.is_complete = true;
  EXPECT_FALSE(destination_->write(group, Durability::may_defer).ok());
}

TEST_F(PostgresDestinationTest, PositionThatWentBackIsToldApart) {
  const SchemaPtr schema = table("t", {{.name = "id", .type = "integer", .is_key = true}});
  start(schema);
  Batch first(schema, 0x2000);
  first.insert({"1"});
  write(first);
  database_->run("UPDATE freshet.progress SET position = '0/1000'; TRUNCATE public.t");
  Batch batch(schema, 0x3000);
  batch.insert({"2"});
  const auto written = try_write(batch);
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().kind(), ErrorKind::went_back) << written.error().describe();
  open(*destination_);
  EXPECT_EQ(state_.position, Position{Lsn{0x1000}});
}

TEST_F(PostgresDestinationTest, LostCommitAnswerIsInDoubt) {
  const SchemaPtr schema = table("t", {{.name = "id", .type = "integer", .is_key = true}});
  start(schema);
  database_->run(
      "CREATE FUNCTION public.die() RETURNS trigger LANGUAGE plpgsql AS "
      "'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END'; "
      "CREATE TRIGGER die BEFORE INSERT ON public.t FOR EACH ROW EXECUTE FUNCTION public.die(); "
      "ALTER TABLE public.t ENABLE ALWAYS TRIGGER die");
  Batch batch(schema, 0x2000);
  batch.insert({"1"});
  const auto written = try_write(batch);
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().kind(), ErrorKind::connection) << written.error().describe();
  EXPECT_TRUE(written.error().is_in_doubt());
  database_->run("DROP TRIGGER die ON public.t");
  open(*destination_);
  EXPECT_EQ(state_.position, Position{Lsn{0x1000}});
  write(batch);
  EXPECT_EQ(position(), "0/2000");
}

TEST_F(PostgresDestinationTest, ForeignRowsAreNeverTouched) {
  database_->run("CREATE TABLE public.t (id integer PRIMARY KEY); INSERT INTO public.t VALUES (1)");
  const SchemaPtr schema = table("t", {{.name = "id", .type = "integer", .is_key = true}});
  destination_ = make();
  open(*destination_);
  for (const Status& status :
       {destination_->check_table(schema), destination_->prepare_table(schema),
        destination_->reset_table(schema)}) {
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().kind(), ErrorKind::schema) << status.error().describe();
  }
  EXPECT_THAT(lines("SELECT * FROM public.t"), ElementsAre("1"));
}

TEST_F(PostgresDestinationTest, MisfitsOfExistingTablesAreRefused) {
  struct Case {
    const char* ddl;
    ErrorKind kind;
  };

  const SchemaPtr schema = table("t", {{.name = "id", .type = "integer", .is_key = true},
                                       {.name = "v", .type = "character varying(10)"}});
  destination_ = make();
  open(*destination_);
  for (const Case& c : {Case{"(id int PRIMARY KEY)", ErrorKind::schema},
                        Case{"(id int PRIMARY KEY, v varchar(5))", ErrorKind::schema},
                        Case{"(id int, v text)", ErrorKind::schema},
                        Case{"(id int PRIMARY KEY, v text, w int NOT NULL)", ErrorKind::schema},
                        Case{"(id smallint PRIMARY KEY, v text)", ErrorKind::schema}}) {
    database_->run(std::string{"DROP TABLE IF EXISTS public.t; CREATE TABLE public.t "} + c.ddl);
    Status checked = destination_->check_table(schema);
    ASSERT_FALSE(checked.ok()) << c.ddl;
    EXPECT_EQ(checked.error().kind(), c.kind) << checked.error().describe();
  }
  database_->run(
      "DROP TABLE public.t; CREATE UNLOGGED TABLE public.t (id int PRIMARY KEY, v text)");
  EXPECT_EQ(destination_->check_table(schema).error().kind(), ErrorKind::setting);
  database_->run(
      "DROP TABLE public.t; "
      "CREATE TABLE public.t (x int, v text, id bigint PRIMARY KEY, y int NOT NULL DEFAULT 3)");
  prepare(schema);
  Batch batch(schema, 0x2000);
  batch.insert({"1", "a"});
  write(batch);
  EXPECT_THAT(lines("SELECT id, v, x, y FROM public.t"), ElementsAre("1|a|-|3"));
}

TEST_F(PostgresDestinationTest, AddedColumnsGiveOldRowsTheirMissingValue) {
  const SchemaPtr from =
      table("t", {{.name = "id", .type = "integer", .is_key = true}, {.name = "v"}});
  start(from);
  Batch insert(from, 0x2000);
  insert.insert({"1", "a"});
  write(insert);
  auto to = table("t", {{.name = "id", .type = "bigint", .is_key = true},
                        {.name = "renamed"},
                        {.name = "b", .type = "boolean"}});
  to->version = 2;
  to->columns[2].is_not_null = true;
  to->columns[2].missing_value = std::make_shared<const std::string>("f");
  for (int replay = 0; replay < 2; ++replay) {
    Status evolved = destination_->evolve(from, to);
    ASSERT_TRUE(evolved.ok()) << evolved.error().describe();
  }
  Batch after(to, 0x3000);
  after.insert({"5000000000", "b", "t"});
  write(after);
  EXPECT_THAT(lines("SELECT id, renamed, b FROM public.t ORDER BY 1"),
              ElementsAre("1|a|f", "5000000000|b|t"));
  EXPECT_THAT(lines("SELECT count(*) FROM pg_attrdef WHERE adrelid = 'public.t'::regclass"),
              ElementsAre("0"));
  auto other = std::make_shared<TableSchema>(*to);
  other->columns[1].type_sql = "integer";
  Status refused = destination_->evolve(to, other);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().find("reason"), "type_change");
}

TEST_F(PostgresDestinationTest, ARepeatedExchangeOfNamesChangesNothing) {
  const SchemaPtr from =
      table("t", {{.name = "id", .type = "integer", .is_key = true}, {.name = "a"}, {.name = "b"}});
  start(from);
  Batch insert(from, 0x2000);
  insert.insert({"1", "first", "second"});
  write(insert);
  auto to = std::make_shared<TableSchema>(*from);
  to->version = 2;
  std::swap(to->columns[1].name, to->columns[2].name);
  // A column dropped and made again under its name: whose rows are there is told by its number.
  auto again = std::make_shared<TableSchema>(*to);
  again->version = 3;
  again->columns[2].attnum = 9;
  for (int replay = 0; replay < 3; ++replay) {
    ASSERT_TRUE(destination_->evolve(from, to).ok());
    EXPECT_THAT(lines("SELECT id, b, a FROM public.t"), ElementsAre("1|first|second"));
  }
  ASSERT_TRUE(destination_->evolve(to, again).ok());
  Batch after(again, 0x3000);
  after.insert({"2", "third", "fourth"});
  write(after);
  ASSERT_TRUE(destination_->evolve(to, again).ok());
  EXPECT_THAT(lines("SELECT id, b, a FROM public.t ORDER BY 1"),
              ElementsAre("1|first|-", "2|third|fourth"));
}

TEST_F(PostgresDestinationTest, PartsFollowDdlAndBecomeVisibleTogether) {
  const SchemaPtr from = table("t", {{.name = "id", .type = "integer", .is_key = true}});
  auto to = table("t", {{.name = "id", .type = "integer", .is_key = true}, {.name = "v"}});
  to->version = 2;
  start(from);
  Batch first(from, 0x2000);
  for (int i = 0; i < 300; ++i)
    first.insert({std::to_string(i)});
  const freshet::Run part = first.run();
  Group group;
  group.runs = {&part, 1};
  group.is_complete = false;
  ASSERT_TRUE(destination_->write(group, Durability::may_defer).ok());
  ASSERT_TRUE(destination_->evolve(from, to).ok());
  EXPECT_EQ(position(), "0/1000");
  Batch last(to, 0x2000);
  for (int i = 299; i < 600; ++i)
    last.insert({std::to_string(i), "late"});
  write(last);
  EXPECT_THAT(lines("SELECT v, count(*) FROM public.t GROUP BY 1 ORDER BY 1"),
              ElementsAre("late|301", "-|299"));
  EXPECT_EQ(position(), "0/2000");
}

TEST_F(PostgresDestinationTest, ListenersLearnTableAndLsn) {
  const SchemaPtr schema = table("we\"ird", {{.name = "id", .type = "integer", .is_key = true}});
  start(schema);
  auto listener = pg::Connection::open(
      {.url = database_->url(), .application_name = "listener", .interrupter = nullptr});
  ASSERT_TRUE(listener.ok());
  ASSERT_TRUE((*listener)->execute("LISTEN freshet_demo").ok());
  Batch batch(schema, 0x2000);
  batch.insert({"1"});
  write(batch);
  // Notifications come with the answer to the next statement at the latest.
  ASSERT_TRUE((*listener)->execute("SELECT 1").ok());
  const std::unique_ptr<PGnotify, decltype(&PQfreemem)> heard{PQnotifies((*listener)->raw()),
                                                              &PQfreemem};
  ASSERT_NE(heard, nullptr);
  EXPECT_STREQ(heard->extra, R"({"table" : "public.we\"ird", "lsn" : "0/2000"})");
}

TEST_F(PostgresDestinationTest, DurablePositionFollowsTheDisk) {
  const SchemaPtr schema = table("t", {{.name = "id", .type = "integer", .is_key = true}});
  start(schema);
  Batch batch(schema, 0x2000);
  batch.insert({"1"});
  write(batch);
  Group barrier;
  barrier.upto = {Lsn{0x2000}};
  const auto durable = destination_->write(barrier, Durability::required);
  ASSERT_TRUE(durable.ok()) << durable.error().describe();
  EXPECT_EQ(durable->end, Lsn{0x2000});
  // An idle position, later than all rows.
  barrier.upto = {Lsn{0x5000}};
  EXPECT_EQ(destination_->write(barrier, Durability::required)->end, Lsn{0x5000});
  EXPECT_EQ(position(), "0/5000");
}

TEST_F(PostgresDestinationTest, VectorsAreWrittenAndIndexedAfterTheCopy) {
  const SchemaPtr schema =
      table("messages", {{.name = "id", .type = "integer", .is_key = true},
                         {.name = "content"},
                         {.name = "embedding", .type = "vector(3)", .is_derived = true}});
  destination_ = make();
  open(*destination_);
  if (!database_->has_vector()) {
    Status prepared = destination_->prepare_table(schema);
    ASSERT_FALSE(prepared.ok());
    EXPECT_EQ(prepared.error().kind(), ErrorKind::setting);
    EXPECT_NE(prepared.error().fix().find("CREATE EXTENSION vector"), std::string::npos);
    GTEST_SKIP() << "the server has no pgvector: only its absence was tested";
  }
  prepare(schema);
  ASSERT_TRUE(destination_->reset_table(schema).ok());
  Batch copied(schema);
  copied.insert({"1", "a", "[1,0,0]"}).insert({"2", nullptr, nullptr});
  auto range = destination_->begin_range(schema, {.table = schema->name});
  ASSERT_TRUE(range.ok());
  ASSERT_TRUE((*range)->rows(copied.changes()).ok());
  ASSERT_TRUE((*range)->finish().ok());
  // What a killed CREATE INDEX CONCURRENTLY leaves.
  database_->run(
      "CREATE INDEX messages_embedding_hnsw ON public.messages (id); "
      "UPDATE pg_index SET indisvalid = false "
      "WHERE indexrelid = 'public.messages_embedding_hnsw'::regclass");
  ASSERT_TRUE(destination_->finish_copy(schema).ok());
  Batch streamed(schema, 0x2000);
  streamed.insert({"3", "c", "[0,1,0]"}).update({"1", "b", "[0,0,1]"});
  write(streamed);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  const auto is_built = [&] {
    return database_->value(
               "SELECT am.amname, i.indisvalid FROM pg_class c JOIN pg_index i ON "
               "i.indexrelid = c.oid JOIN pg_am am ON am.oid = c.relam "
               "WHERE c.relname = 'messages_embedding_hnsw'") == "hnsw|t";
  };
  while (!is_built() && std::chrono::steady_clock::now() < deadline)
    std::this_thread::yield();
  EXPECT_TRUE(is_built());
  EXPECT_THAT(lines("SELECT id, embedding FROM public.messages ORDER BY 1"),
              ElementsAre("1|[0,0,1]", "2|-", "3|[0,1,0]"));
  auto wider = std::make_shared<TableSchema>(*schema);
  wider->columns[2].type_sql = "vector(4)";
  EXPECT_EQ(destination_->check_table(wider).error().kind(), ErrorKind::setting);
}

TEST_F(PostgresDestinationTest, TwoPipelinesSetUpAtOnce) {
  std::vector<std::jthread> threads;
  std::atomic<int> opened{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      const auto destination = make();
      auto state =
          destination->open({.pipeline = "p" + std::to_string(i), .epoch = 1, .holder = "here"});
      if (state.ok()) ++opened;
    });
  }
  threads.clear();
  EXPECT_EQ(opened, 4);
}

}  // namespace
}  // namespace freshet::postgres
