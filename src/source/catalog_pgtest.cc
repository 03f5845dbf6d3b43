#include <algorithm>
#include <chrono>
#include <future>
#include <thread>

#include "base/sql_quote.h"
#include "pg/testing/test_server.h"
#include "source/catalog.h"
#include "source/filter_probe.h"
#include "source/publication.h"
#include "source/row_filter.h"

namespace freshet::source {
namespace {

using Names = std::vector<std::string>;

class CatalogPgTest : public pg::testing::ServerTest {
 protected:
  CatalogTable load(const std::string& name) {
    auto table = load_table(*connection_, {"public", name});
    EXPECT_TRUE(table.ok()) << table.error().describe();
    return table.ok() ? std::move(table).value() : CatalogTable{};
  }

  static const Column& column(const TableSchema& schema, const std::string& name) {
    return schema.columns.at(static_cast<std::size_t>(schema.find(name)));
  }

  PublicationPlan plan(const std::vector<TableConfig>& tables) {
    auto planned = plan_publication(*connection_, {.name = "freshet_p", .tables = tables});
    EXPECT_TRUE(planned.ok()) << planned.error().describe();
    return planned.ok() ? std::move(planned).value() : PublicationPlan{};
  }

  /// Public.t as `sql` makes it.
  SchemaPtr make(const std::string& sql) {
    run(sql);
    return std::make_shared<const TableSchema>(load("t").schema);
  }

  /// The table of `before` as it was announced after `ddl`, once `later` has been done as well.
  TableSchema enriched_behind(const SchemaPtr& before,
                              const std::string& ddl,
                              const std::string& later) {
    run(ddl);
    auto streamed = std::make_shared<TableSchema>(load(before->name.table).schema);
    for (Column& told : streamed->columns)
      told.attnum = 0;
    run(later);
    const Announced table{streamed, before};
    const auto schemas = enrich(*connection_, {&table, 1});
    EXPECT_TRUE(schemas.ok()) << schemas.error().describe();
    return schemas.ok() ? *schemas->front().schema : TableSchema{};
  }

  bool is_15() const { return connection_->server_version() >= 150'000; }
};

TEST_F(CatalogPgTest, TellsEverythingOfAColumn) {
  run("CREATE TYPE public.mood AS ENUM ('a'); CREATE DOMAIN public.name_text AS text;"
      "CREATE TABLE public.t (a int, id bigint, v numeric(12,2), m public.mood, d "
      "public.name_text, "
      "g int GENERATED ALWAYS AS (a * 2) STORED, arr int[], "
      "PRIMARY KEY (id, a) INCLUDE (v))");
  run("ALTER TABLE public.t ADD COLUMN late text NOT NULL DEFAULT 'it''s \"x\"', "
      "ADD COLUMN list int[] DEFAULT '{1,2}'");
  const CatalogTable table = load("t");
  const TableSchema& schema = table.schema;
  EXPECT_EQ(table.generated_columns, Names{"g"});
  EXPECT_EQ(table.identity_index, "t_pkey");
  EXPECT_EQ(schema.find("g"), -1);
  EXPECT_EQ(column(schema, "v").type_sql, "numeric(12,2)");
  EXPECT_EQ(column(schema, "m").type_sql, "public.mood");
  EXPECT_EQ(column(schema, "arr").type_sql, "integer[]");
  EXPECT_EQ(column(schema, "id").primary_key_place, 1);
  EXPECT_EQ(column(schema, "a").primary_key_place, 2);
  EXPECT_EQ(column(schema, "v").primary_key_place, 0);
  EXPECT_TRUE(column(schema, "id").is_identity);
  EXPECT_TRUE(column(schema, "a").is_identity);
  EXPECT_FALSE(column(schema, "v").is_identity);
  EXPECT_TRUE(column(schema, "id").is_not_null);
  EXPECT_FALSE(column(schema, "m").is_builtin_type);
  EXPECT_TRUE(column(schema, "v").is_builtin_type);
  for (const std::string name : {"a", "id", "m", "d", "late"}) {
    EXPECT_TRUE(column(schema, name).is_byte_comparable) << name;
  }
  for (const std::string name : {"v", "arr"}) {
    EXPECT_FALSE(column(schema, name).is_byte_comparable) << name;
  }
  ASSERT_NE(column(schema, "late").missing_value, nullptr);
  EXPECT_EQ(*column(schema, "late").missing_value, "it's \"x\"");
  EXPECT_EQ(*column(schema, "list").missing_value, "{1,2}");
  EXPECT_EQ(column(schema, "a").missing_value, nullptr);
}

TEST_F(CatalogPgTest, TextUnderANondeterministicCollationIsNotComparable) {
  const auto made = connection_->execute(
      "CREATE COLLATION public.ci (provider = icu, locale = 'und', deterministic = false)");
  if (!made.ok()) GTEST_SKIP() << made.error().describe();
  run("CREATE TABLE public.t (c text COLLATE public.ci, d text)");
  EXPECT_FALSE(column(load("t").schema, "c").is_byte_comparable);
  EXPECT_TRUE(column(load("t").schema, "d").is_byte_comparable);
}

TEST_F(CatalogPgTest, IdentityFollowsTheTable) {
  run("CREATE TABLE public.f (a int); ALTER TABLE public.f REPLICA IDENTITY FULL;"
      "CREATE TABLE public.n (a int); CREATE TABLE public.d (a int PRIMARY KEY DEFERRABLE);"
      "CREATE TABLE public.i (a int PRIMARY KEY, b int NOT NULL UNIQUE);"
      "ALTER TABLE public.i REPLICA IDENTITY USING INDEX i_b_key");
  EXPECT_TRUE(column(load("f").schema, "a").is_identity);
  EXPECT_EQ(load("f").schema.identity, ReplicaIdentity::full);
  EXPECT_FALSE(load("n").schema.has_key());
  EXPECT_FALSE(load("d").schema.has_key());
  EXPECT_EQ(column(load("d").schema, "a").primary_key_place, 0);
  EXPECT_FALSE(column(load("i").schema, "a").is_identity);
  EXPECT_TRUE(column(load("i").schema, "b").is_identity);
  EXPECT_EQ(load_table(*connection_, {"public", "nope"}).error().kind(), ErrorKind::setting);
}

TEST_F(CatalogPgTest, SelectsColumnsInCatalogueOrder) {
  run("CREATE TABLE public.t (id int PRIMARY KEY, a text, b text)");
  const CatalogTable table = load("t");
  const auto selected = select_columns(table, Names{"b", "id"});
  ASSERT_TRUE(selected.ok());
  ASSERT_EQ(selected->columns.size(), 2U);
  EXPECT_EQ(selected->columns[0].name, "id");
  EXPECT_EQ(select_columns(table, Names{"a"}).error().find("column"), "id");
  EXPECT_EQ(select_columns(table, Names{"id", "z"}).error().find("column"), "z");
}

TEST_F(CatalogPgTest, EnrichesAStreamedSchemaAndFindsRenames) {
  const SchemaPtr before =
      make("CREATE TABLE public.t (id int PRIMARY KEY, a varchar(10), b text)");
  run("ALTER TABLE public.t RENAME a TO c; ALTER TABLE public.t DROP b");
  auto streamed = std::make_shared<TableSchema>();
  streamed->relation = before->relation;
  streamed->name = before->name;
  streamed->version = 7;
  for (const std::string name : {"id", "c"}) {
    const Column& known = before->columns[name == "id" ? 0 : 1];
    Column& plain = streamed->columns.emplace_back();
    plain.name = name;
    plain.type = known.type;
    plain.typmod = known.typmod;
    plain.is_identity = name == "id";
  }
  const auto enriched = [&] {
    const Announced table{streamed, before};
    const auto schemas = enrich(*connection_, {&table, 1});
    EXPECT_TRUE(schemas.ok()) << schemas.error().describe();
    return schemas.ok() ? *schemas->front().schema : TableSchema{};
  };
  const TableSchema schema = enriched();
  EXPECT_EQ(schema.version, 7U);
  EXPECT_EQ(column(schema, "c").type_sql, "character varying(10)");
  EXPECT_EQ(column(schema, "c").attnum, 2);
  EXPECT_EQ(column(schema, "id").primary_key_place, 1);
  EXPECT_EQ(find_renames(*before, schema), (std::vector<ColumnRename>{{"a", "c"}}));
  // The catalogue may be further than the stream: renamed once more, then dropped altogether.
  run("ALTER TABLE public.t RENAME c TO d");
  EXPECT_EQ(find_renames(*before, enriched()), (std::vector<ColumnRename>{{"a", "c"}}));
  run("DROP TABLE public.t");
  const TableSchema gone = enriched();
  EXPECT_EQ(column(gone, "c").type_sql, "character varying(10)");
  EXPECT_EQ(column(gone, "id").attnum, 1);
}

// Columns are announced by number: `v`, before others, is not the one that came last since.
TEST_F(CatalogPgTest, EnrichesWhereTheCatalogueIsAheadByAColumnMadeAgain) {
  const SchemaPtr before = make("CREATE TABLE public.t (id int PRIMARY KEY, v text, w int, u int)");
  const TableSchema schema =
      enriched_behind(before, "ALTER TABLE public.t DROP w; ALTER TABLE public.t ADD w bigint",
                      "ALTER TABLE public.t DROP v; ALTER TABLE public.t ADD v text");
  std::vector<std::int16_t> numbers;
  for (const Column& known : schema.columns)
    numbers.push_back(known.attnum);
  EXPECT_EQ(numbers, (std::vector<std::int16_t>{1, 2, 4, 5}));
}

TEST_F(CatalogPgTest, EnrichesWhereANewColumnWasRenamedSince) {
  const SchemaPtr before = make("CREATE TABLE public.t (id int PRIMARY KEY, v text)");
  const TableSchema schema = enriched_behind(before, "ALTER TABLE public.t ADD n bigint DEFAULT 7",
                                             "ALTER TABLE public.t RENAME n TO other");
  EXPECT_EQ(column(schema, "n").attnum, 3);
  EXPECT_EQ(find_renames(schema, load("t").schema), (std::vector<ColumnRename>{{"n", "other"}}));
}

TEST_F(CatalogPgTest, EnrichesARenamedColumnThatWasMadeAgainWithAnotherTypeSince) {
  const SchemaPtr before = make("CREATE TABLE public.t (id int PRIMARY KEY, v int, w int)");
  const TableSchema schema =
      enriched_behind(before, "ALTER TABLE public.t RENAME COLUMN v TO x",
                      "ALTER TABLE public.t DROP COLUMN x, ADD COLUMN x text");
  EXPECT_EQ(column(schema, "x").attnum, 2);
  EXPECT_EQ(column(schema, "w").attnum, 3);
  EXPECT_EQ(find_renames(*before, schema), (std::vector<ColumnRename>{{"v", "x"}}));
}

TEST_F(CatalogPgTest, EnrichesManyInOneGo) {
  run("CREATE TABLE public.t (id int PRIMARY KEY, a varchar(10)); CREATE TABLE public.u (x "
      "numeric, "
      "y text)");
  std::vector<Announced> announced;
  for (const std::string name : {"u", "t", "u"}) {
    const TableSchema known = load(name).schema;
    auto streamed = std::make_shared<TableSchema>();
    streamed->relation = known.relation;
    streamed->name = known.name;
    for (const Column& from : known.columns) {
      Column& plain = streamed->columns.emplace_back();
      plain.name = from.name;
      plain.type = from.type;
      plain.typmod = from.typmod;
      plain.is_identity = from.is_identity;
    }
    announced.push_back({std::move(streamed), nullptr});
  }
  const auto schemas = enrich(*connection_, announced);
  ASSERT_TRUE(schemas.ok()) << schemas.error().describe();
  ASSERT_EQ(schemas->size(), 3U);
  for (std::size_t i = 0; i < schemas->size(); ++i) {
    const TableSchema known = load(announced[i].streamed->name.table).schema;
    EXPECT_EQ((*schemas)[i].schema->columns, known.columns);
    EXPECT_EQ((*schemas)[i].schema->definition, known.definition);
    EXPECT_EQ((*schemas)[i].schema->files, known.files);
  }
}

// What is being changed is another moment's; nor is it waited for.
TEST_F(CatalogPgTest, EnrichesWithOneMomentWhileATableIsRewritten) {
  run("CREATE TABLE public.t (id int PRIMARY KEY, a int) PARTITION BY RANGE (id); "
      "CREATE TABLE public.l PARTITION OF public.t FOR VALUES FROM (0) TO (9); "
      "CREATE TABLE public.m PARTITION OF public.t FOR VALUES FROM (9) TO (99)");
  const auto known = std::make_shared<const TableSchema>(load("t").schema);
  EXPECT_EQ(std::count(known->files.begin(), known->files.end(), ':'), 2);
  const Announced table{known, nullptr};
  const auto rewriter = connect(url());
  run(*rewriter, "BEGIN; ALTER TABLE public.t ALTER a TYPE bigint");
  run("SET lock_timeout = '1s'");
  const auto during = enrich(*connection_, {&table, 1});
  ASSERT_TRUE(during.ok()) << during.error().describe();
  EXPECT_EQ(during->front().schema->definition, known->definition);
  EXPECT_EQ(during->front().schema->files, known->files);
  run(*rewriter, "COMMIT");
  const auto after = enrich(*connection_, {&table, 1});
  ASSERT_TRUE(after.ok()) << after.error().describe();
  EXPECT_TRUE(was_rewritten(*known, *after->front().schema));
}

TEST_F(CatalogPgTest, SomeIsToldWithoutWaitingForALock) {
  run("CREATE TABLE public.t (id int PRIMARY KEY) PARTITION BY RANGE (id); "
      "CREATE TABLE public.l PARTITION OF public.t FOR VALUES FROM (0) TO (9)");
  const CatalogTable known = load("t");
  const auto other = connect(url());
  run(*other, "BEGIN; LOCK TABLE public.t");
  run("SET lock_timeout = '1s'");
  const auto schemas = load_schemas(*connection_, {&known.schema.name, 1});
  ASSERT_TRUE(schemas.ok()) << schemas.error().describe();
  EXPECT_EQ(schemas->front().columns, known.schema.columns);
  const auto heaps = load_heaps(*connection_, {&known.schema.relation, 1});
  ASSERT_TRUE(heaps.ok()) << heaps.error().describe();
  EXPECT_EQ(heaps->front(), known.heaps);
  run(*other, "DROP TABLE public.t; COMMIT");
  EXPECT_TRUE(load_heaps(*connection_, {&known.schema.relation, 1})->front().empty());
}

TEST_F(CatalogPgTest, FilterColumnsComeFromTheServer) {
  run("CREATE TABLE public.t (id int PRIMARY KEY, \"From\" text, b text); CREATE TABLE public.o (x "
      "int)");
  const auto used = [&](const std::string& where) {
    const auto names = find_filter_columns(*connection_, {"public", "t"}, where);
    EXPECT_TRUE(names.ok()) << where << ": " << names.error().describe();
    return names.ok() ? *names : std::nullopt;
  };
  EXPECT_EQ(used("id = 1 -- b"), Names{"id"});
  EXPECT_EQ(used("\"From\" = 'b' OR id > 2"), (Names{"id", "From"}));
  EXPECT_EQ(used("true"), Names{});
  EXPECT_EQ(used("id = 1 AND row_to_json(t)->>'b' = 'x'"), std::nullopt);
  for (const std::string where :
       {"id =", "nope = 1", "id = 'x'", "id", "id IN (SELECT x FROM public.o)"}) {
    const auto names = find_filter_columns(*connection_, {"public", "t"}, where);
    ASSERT_FALSE(names.ok()) << where;
    EXPECT_EQ(names.error().kind(), ErrorKind::config) << where;
  }
  EXPECT_FALSE(connection_->is_in_transaction());
}

TEST_F(CatalogPgTest, PublicationNeverMakesAWriteFail) {
  run("CREATE TABLE public.t (id int PRIMARY KEY, a text, b int)");
  const TableName name{"public", "t"};

  struct Case {
    TableConfig config;
    bool filters_columns;
    bool filters_rows;
  };

  const Case cases[] = {
      {{.name = name, .columns = {}, .where = ""}, false, false},
      {{.name = name, .columns = {}, .where = "id > 10"}, false, !is_15()},
      {{.name = name, .columns = {}, .where = "b > 10"}, false, true},
      {{.name = name, .columns = {"id", "a"}, .where = ""}, !is_15(), false},
      {{.name = name, .columns = {"id", "a"}, .where = "b > 10"}, true, true},
      {{.name = name, .columns = {}, .where = "id > random()"}, false, true},
  };
  for (const Case& one : cases) {
    const PublicationPlan planned = plan({one.config});
    ASSERT_EQ(planned.tables.size(), 1U);
    EXPECT_EQ(planned.tables[0].filters_columns, one.filters_columns) << planned.sql;
    EXPECT_EQ(planned.tables[0].filters_rows, one.filters_rows) << planned.sql;
    const Status created = create_publication(*connection_, planned);
    ASSERT_TRUE(created.ok()) << planned.sql << ": " << created.error().describe();
    run("INSERT INTO public.t VALUES (1, 'x', 1); UPDATE public.t SET a = 'y', b = 20; UPDATE "
        "public.t SET id = 50; DELETE FROM public.t");
    const auto check = check_publications(*connection_, Names{"freshet_p"}, {&one.config, 1});
    ASSERT_TRUE(check.ok()) << check.error().describe();
    EXPECT_TRUE(check->warnings.empty());
    EXPECT_EQ(check->tables[0].filters_rows, one.filters_rows) << planned.sql;
    EXPECT_EQ(check->tables[0].filters_columns, one.filters_columns) << planned.sql;
    ASSERT_TRUE(drop_publication(*connection_, "freshet_p").ok());
  }
  EXPECT_TRUE(drop_publication(*connection_, "freshet_p").ok());
}

TEST_F(CatalogPgTest, TablesWithoutIdentityAreRefused) {
  run("CREATE TABLE public.n (a int)");
  run("CREATE TABLE public.root (id int) PARTITION BY RANGE (id);"
      "CREATE TABLE public.leaf PARTITION OF public.root FOR VALUES FROM (0) TO (9)");
  for (const std::string name : {"n", "root"}) {
    const std::vector<TableConfig> tables{{.name = {"public", name}, .columns = {}, .where = ""}};
    const auto refused = plan_publication(*connection_, {.name = "p", .tables = tables});
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().kind(), ErrorKind::setting);
    EXPECT_NE(refused.error().fix().find("REPLICA IDENTITY FULL"), std::string::npos);
    EXPECT_TRUE(plan_publication(*connection_,
                                 {.name = "p", .tables = tables, .allows_missing_identity = true})
                    .ok());
  }
  run("CREATE UNLOGGED TABLE public.u (a int PRIMARY KEY)");
  const std::vector<TableConfig> unlogged{{.name = {"public", "u"}, .columns = {}, .where = ""}};
  EXPECT_EQ(plan_publication(*connection_, {.name = "p", .tables = unlogged}).error().kind(),
            ErrorKind::setting);
}

TEST_F(CatalogPgTest, NamedPublicationsAreChecked) {
  run("CREATE TABLE public.t (id int PRIMARY KEY, a text); CREATE TABLE public.o (id int PRIMARY "
      "KEY); CREATE TABLE public.root (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE "
      "public.leaf PARTITION OF public.root FOR VALUES FROM (0) TO (9);"
      "CREATE PUBLICATION p FOR TABLE public.t, public.root WITH (publish = 'insert, update', "
      "publish_via_partition_root = true);"
      "CREATE PUBLICATION leaves FOR TABLE public.t, public.root");
  const std::vector<TableConfig> t{{.name = {"public", "t"}, .columns = {}, .where = ""},
                                   {.name = {"public", "root"}, .columns = {}, .where = ""}};
  const std::vector<TableConfig> o{{.name = {"public", "o"}, .columns = {}, .where = ""}};
  const auto check = check_publications(*connection_, Names{"p"}, t);
  ASSERT_TRUE(check.ok()) << check.error().describe();
  EXPECT_EQ(check->warnings.size(), 2U);
  EXPECT_EQ(check_publications(*connection_, Names{"p"}, o).error().find("table"), "public.o");
  const auto by_leaves = check_publications(*connection_, Names{"leaves"}, t);
  ASSERT_FALSE(by_leaves.ok());
  EXPECT_EQ(by_leaves.error().find("table"), "public.root");
  EXPECT_TRUE(check_publications(*connection_, Names{"leaves", "p"}, t).ok());
  EXPECT_EQ(check_publications(*connection_, Names{"p", "q"}, t).error().find("publication"), "q");
  EXPECT_EQ(list_published_tables(*connection_, Names{"p"})->size(), 2U);
  EXPECT_TRUE(*has_publication(*connection_, "p"));
  EXPECT_FALSE(*has_publication(*connection_, "q"));
  if (!is_15()) return;
  run("CREATE PUBLICATION f1 FOR TABLE public.t WHERE (id > 5); CREATE PUBLICATION f2 FOR TABLE "
      "public.t WHERE (id < 2); CREATE PUBLICATION c FOR TABLE public.t (id)");
  const auto both = check_publications(*connection_, Names{"f1", "f2"}, {t.data(), 1});
  ASSERT_TRUE(both.ok()) << both.error().describe();
  EXPECT_NE(both->tables[0].row_filter.find(" OR "), std::string::npos);
  EXPECT_EQ(check_publications(*connection_, Names{"c", "f1"}, {t.data(), 1}).error().kind(),
            ErrorKind::setting);
  const std::vector<TableConfig> wants{
      {.name = {"public", "t"}, .columns = {"id", "a"}, .where = ""}};
  EXPECT_EQ(check_publications(*connection_, Names{"c"}, wants).error().find("column"), "a");
}

TEST_F(CatalogPgTest, AFilterIsSpeltAsThePublicationHasIt) {
  if (!is_15()) GTEST_SKIP() << "publications have no filters";
  run("CREATE DOMAIN public.few AS int; CREATE TYPE public.mood AS ENUM ('sad', 'ok');"
      "CREATE TABLE public.\"o'dd\" (id int, v numeric, \"a b\" varchar(9), n public.few, "
      "m public.mood, d date, PRIMARY KEY (id, v, \"a b\", n, m, d))");
  for (const std::string where :
       {"id > 5", "v * 2 < 7.50 OR id IN (1, 2)", "\"a b\" LIKE 'x%' -- so",
        "\"o'dd\".id = 3 AND NOT (id = 4 OR v IS NULL)", "d >= '2020-02-03'::date",
        "length(\"a b\" || 'x') > 3 AND (id, v) < (3, 4)", "CASE WHEN id = 1 THEN true END",
        "\"a b\" COLLATE \"C\" < 'b'", "true", "v IS DISTINCT FROM 'NaN'"}) {
    const Status made = connection_->execute(
        "CREATE PUBLICATION f FOR TABLE ONLY public.\"o'dd\" "
        "WHERE (" +
        where + "\n)");
    ASSERT_TRUE(made.ok()) << where << made.error().describe();
    const auto form = published_form(*connection_, load("o'dd"), where);
    ASSERT_TRUE(form.ok() && *form) << where;
    EXPECT_EQ(**form, text(*connection_,
                           "SELECT pg_get_expr(prqual, prrelid) FROM "
                           "pg_publication_rel"));
    run("DROP PUBLICATION f");
  }
  EXPECT_EQ(*published_form(*connection_, load("o'dd"), "nothing > 1"), std::nullopt);
}

// CREATE INDEX CONCURRENTLY, VACUUM and the like lock a table for hours.
TEST_F(CatalogPgTest, PublicationsAreCheckedWhereATableIsLockedAgainstDdl) {
  if (!is_15()) GTEST_SKIP() << "publications have no filters";
  run("CREATE TABLE public.t (id int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE public.t WHERE "
      "(id > 5)");
  const auto other = connect(url());
  run(*other, "BEGIN; LOCK TABLE public.t IN SHARE UPDATE EXCLUSIVE MODE");
  run("SET lock_timeout = '2s'");
  const std::vector<TableConfig> t{{.name = {"public", "t"}, .columns = {}, .where = "id > 5"}};
  const auto check = check_publications(*connection_, Names{"p"}, t);
  ASSERT_TRUE(check.ok()) << check.error().describe();
  EXPECT_FALSE(check->tables[0].filters_rows);
}

TEST_F(CatalogPgTest, WhoAltersSeveralTablesIsNotTheVictim) {
  run("CREATE TABLE public.a (id int PRIMARY KEY); CREATE TABLE public.b (id int PRIMARY KEY)");
  const auto migration = connect(url());
  run(*migration, "BEGIN; ALTER TABLE public.b ADD v int");
  auto made = std::async(std::launch::async, [&] {
    return create_publication(*connection_, {.name = "p",
                                             .sql = "CREATE PUBLICATION p FOR TABLE public.a, "
                                                    "public.b",
                                             .tables_sql = {},
                                             .tables = {}});
  });
  for (int i = 0; i < 3; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds{400});
    run(*migration, "ALTER TABLE public.a ADD COLUMN v" + std::to_string(i) + " int");
  }
  run(*migration, "COMMIT");
  const Status done = made.get();
  EXPECT_TRUE(done.ok()) << done.error().describe();
  EXPECT_EQ(text(*connection_, "SHOW lock_timeout"), "0");
}

TEST_F(CatalogPgTest, RowFilterAsksTheServer) {
  run("CREATE TABLE public.t (id int PRIMARY KEY, v numeric, a text, b text)");
  const auto schema = std::make_shared<const TableSchema>(load("t").schema);
  auto filter = RowFilter::make(*connection_, schema, "v > 10 AND t.a LIKE 'x%'");
  ASSERT_TRUE(filter.ok()) << filter.error().describe();
  EXPECT_EQ((*filter)->used_columns().size(), 2U);
  const Value row1[] = {Value::text("1"), Value::text("20.5"), Value::text("x\"\\,{}"),
                        Value::unchanged()};
  const Value row2[] = {Value::text("2"), Value::text("9"), Value::text("x"), Value::null()};
  const Value row3[] = {Value::text("3"), Value::null(), Value::text("x"), Value::null()};
  const Value row4[] = {Value::text("4"), Value::text("11"), Value::unchanged(), Value::null()};
  const RowView rows[] = {row1, row2, row3, row4};
  const auto matches = (*filter)->evaluate(*connection_, rows);
  ASSERT_TRUE(matches.ok()) << matches.error().describe();
  EXPECT_EQ(*matches, (std::vector<Match>{Match::yes, Match::no, Match::no, Match::unknown}));
  EXPECT_TRUE((*filter)->evaluate(*connection_, {})->empty());

  auto constant = RowFilter::make(*connection_, schema, "false");
  ASSERT_TRUE(constant.ok());
  EXPECT_EQ((*constant)->evaluate(*connection_, {rows, 1})->front(), Match::no);
  auto raising = RowFilter::make(*connection_, schema, "1 / (id - 1) > 0");
  ASSERT_TRUE(raising.ok());
  EXPECT_EQ((*raising)->evaluate(*connection_, {rows, 1}).error().kind(), ErrorKind::data);
  EXPECT_EQ((*raising)->evaluate(*connection_, {rows + 1, 1})->front(), Match::yes);
}

}  // namespace
}  // namespace freshet::source
