#include "pg/testing/test_server.h"
#include "source/captured_definition.h"
#include "source/catalog.h"
#include "source/ddl_capture.h"

namespace freshet::source {
namespace {

class CapturedDefinitionPgTest : public pg::testing::ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    if (connection_ == nullptr) return;
    const Status installed = install_ddl_capture(*connection_);
    ASSERT_TRUE(installed.ok()) << installed.error().describe();
    run("CREATE TABLE public.t (id int PRIMARY KEY, a text)");
    before_ = definition();
  }

  TableSchema definition() {
    auto table = load_table(*connection_, {"public", "t"});
    EXPECT_TRUE(table.ok()) << table.error().describe();
    return table.ok() ? std::move(table->schema) : TableSchema{};
  }

  /// The transaction that does it.
  Xid change(const std::string& ddl) {
    run("BEGIN; " + ddl);
    const std::string xid = text("SELECT pg_current_xact_id()::xid::text");
    run("COMMIT");
    return Xid{static_cast<std::uint32_t>(std::stoul(xid))};
  }

  /// As a trigger writes it, or somebody who has a mind to.
  static TableSchema told(TableSchema schema) {
    schema.version = 0;
    for (Column& column : schema.columns)
      column.type_sql = "int); DROP TABLE public.t; --";
    return schema;
  }

  /// Null where it is not believed.
  SchemaPtr check(TableSchema schema, Xid xid) { return judge(std::move(schema), xid).believed; }

  CheckedDefinition judge(TableSchema schema, Xid xid) {
    const CapturedDefinition captured{.streamed = std::make_shared<TableSchema>(std::move(schema)),
                                      .previous = std::make_shared<TableSchema>(before_),
                                      .xid = xid};
    auto checked = check_captured(*connection_, {&captured, 1});
    EXPECT_TRUE(checked.ok()) << checked.error().describe();
    return checked.ok() ? checked->front() : CheckedDefinition{};
  }

  TableSchema before_;
};

TEST_F(CapturedDefinitionPgTest, IsBelievedAsTheCatalogueHasIt) {
  const Xid xid = change("ALTER TABLE public.t ADD COLUMN b bigint");
  const TableSchema now = definition();
  const SchemaPtr checked = check(told(now), xid);
  ASSERT_NE(checked, nullptr);
  EXPECT_EQ(checked->columns, now.columns);
  EXPECT_EQ(checked->files, now.files);
}

TEST_F(CapturedDefinitionPgTest, IsBelievedWhereLaterChangesFollowed) {
  const Xid xid = change("ALTER TABLE public.t ADD COLUMN b bigint, ADD COLUMN c text");
  const TableSchema then = definition();
  change("ALTER TABLE public.t RENAME COLUMN b TO other; ALTER TABLE public.t DROP COLUMN c");
  const SchemaPtr checked = check(told(then), xid);
  ASSERT_NE(checked, nullptr);
  ASSERT_EQ(checked->columns.size(), 4U);
  EXPECT_EQ(checked->columns[2].name, "b");
  EXPECT_EQ(checked->columns[3].name, "c");
  for (std::size_t i = 0; i < 4; ++i)
    EXPECT_EQ(checked->columns[i].type_sql, then.columns[i].type_sql);
}

TEST_F(CapturedDefinitionPgTest, IsNotBelievedAgainstOlderColumns) {
  const Xid own = change("SELECT 1");
  const auto forged = [&](auto&& spoil) {
    TableSchema schema = told(before_);
    schema.definition = "made up";
    spoil(schema.columns);
    return check(schema, own);
  };
  EXPECT_EQ(forged([](auto& columns) { columns[1].name = "z"; }), nullptr);
  EXPECT_EQ(forged([](auto& columns) { columns[1].type = Oid{20}; }), nullptr);
  EXPECT_EQ(forged([](auto& columns) { columns.pop_back(); }), nullptr);
  EXPECT_EQ(forged([](auto& columns) { columns.push_back(columns.back()); }), nullptr);
  // Nor while the table is really changed, of the columns that were left alone.
  change("ALTER TABLE public.t ADD COLUMN b bigint");
  EXPECT_EQ(forged([](auto& columns) { columns[1].name = "z"; }), nullptr);
  EXPECT_EQ(forged([](auto& columns) { columns.pop_back(); }), nullptr);
}

TEST_F(CapturedDefinitionPgTest, IsDoubtfulWhereAnOlderTransactionCameLater) {
  auto older = connect(url());
  ASSERT_NE(older, nullptr);
  run(*older, "BEGIN; SELECT pg_current_xact_id()");
  const Xid xid =
      change("ALTER TABLE public.t DROP COLUMN a; ALTER TABLE public.t ADD COLUMN a text");
  const TableSchema then = definition();
  run(*older, "ALTER TABLE public.t RENAME COLUMN a TO b; COMMIT");
  const CheckedDefinition checked = judge(told(then), xid);
  EXPECT_EQ(checked.believed, nullptr);
  EXPECT_TRUE(checked.is_doubtful);
}

TEST_F(CapturedDefinitionPgTest, IsNoMatterOfDoubtWhereNothingWasChanged) {
  const Xid own = change("SELECT 1");
  TableSchema schema = told(before_);
  schema.definition = "made up";
  schema.columns[1].name = "z";
  const CheckedDefinition checked = judge(schema, own);
  EXPECT_EQ(checked.believed, nullptr);
  EXPECT_FALSE(checked.is_doubtful);
}

TEST_F(CapturedDefinitionPgTest, IsNotBelievedWhereNothingIsCaptured) {
  const Status removed = remove_ddl_capture(*connection_);
  ASSERT_TRUE(removed.ok()) << removed.error().describe();
  const Xid xid = change("ALTER TABLE public.t ADD COLUMN b bigint");
  EXPECT_EQ(check(told(definition()), xid), nullptr);
}

}  // namespace
}  // namespace freshet::source
