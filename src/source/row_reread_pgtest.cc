#include <memory>

#include "pg/testing/test_server.h"
#include "source/barrier.h"
#include "source/catalog.h"
#include "source/row_reread.h"
#include "source/snapshot_copy.h"

namespace freshet::source {
namespace {

const TableName kTable{.schema = "public", .table = "t"};

class RowRereadPgTest : public pg::testing::ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    if (connection_ == nullptr) return;
    alter(
        "CREATE TABLE t (id int, \"Odd key\" text, v int, a text, b text, "
        "PRIMARY KEY (id, \"Odd key\"));"
        "ALTER TABLE t ALTER a SET STORAGE EXTERNAL;"
        "INSERT INTO t SELECT n, 'it''s \"' || n, n, repeat('a' || n, 3000), NULL "
        "FROM generate_series(1, 300) n");
    schema_ = load();
  }

  void alter(const std::string& sql) {
    run(*connection_, "BEGIN; SET LOCAL search_path = public; " + sql + "; COMMIT");
  }

  SchemaPtr load() {
    auto table = load_table(*connection_, kTable);
    EXPECT_TRUE(table.ok());
    return table.ok() ? std::make_shared<TableSchema>(table->schema) : nullptr;
  }

  /// A row that lacks both its large values.
  RowView row(int id) {
    const std::span<Value> values = arena_.array<Value>(5);
    values[0] = Value::text(arena_.copy(std::to_string(id)));
    values[1] = Value::text(arena_.copy("it's \"" + std::to_string(id)));
    values[2] = Value::text("sent");
    values[3] = Value::unchanged();
    values[4] = Value::unchanged();
    return values;
  }

  Result<Reread> reread(std::span<const RowView> rows) {
    return reread_rows(*connection_, {.schema = schema_, .rows = rows}, arena_);
  }

  Error error_of(std::span<const RowView> rows) {
    auto read = reread(rows);
    EXPECT_FALSE(read.ok());
    return read.ok() ? Error{ErrorKind::internal, "it went well"} : std::move(read).error();
  }

  SchemaPtr schema_;
  Arena arena_;
};

TEST_F(RowRereadPgTest, RowsGetWhatTheyLackAndKeepWhatTheyHave) {
  std::vector<RowView> rows;
  for (int id = 301; id > 0; --id)
    rows.push_back(row(id));
  const auto read = reread(rows);
  ASSERT_TRUE(read.ok()) << read.error().describe();
  ASSERT_EQ(read->rows.size(), 301U);
  EXPECT_TRUE(read->rows[0].empty()) << "there is no row 301";
  for (std::size_t i = 1; i < 301; ++i) {
    const RowView found = read->rows[i];
    ASSERT_EQ(found.size(), 5U);
    EXPECT_EQ(found[0].view(), rows[i][0].view());
    EXPECT_EQ(found[2].view(), "sent");
    EXPECT_EQ(found[3].view().substr(0, 1 + found[0].size), "a" + std::string{found[0].view()});
    EXPECT_TRUE(found[4].is_null());
  }
  EXPECT_GT(read->bytes, 300U * 6000U);
  EXPECT_NE(read->read_upto, kNoLsn);
}

TEST_F(RowRereadPgTest, OfSeveralTransactionsAllMustBeVisible) {
  const auto other = connect(url());
  const auto begin = [](pg::Connection& connection) {
    run(connection, "BEGIN");
    return Committed{.xid = Xid{static_cast<std::uint32_t>(
                         std::stoul(text(connection, "SELECT pg_current_xact_id()")))}};
  };
  const std::vector<Committed> both{begin(*other), begin(*connection_)};
  run(*connection_, "COMMIT");
  const auto before = are_visible(*connection_, both);
  ASSERT_TRUE(before.ok());
  EXPECT_FALSE(*before);
  EXPECT_TRUE(are_visible(*connection_, std::span{both}.subspan(1)).value());
  run(*other, "COMMIT");
  EXPECT_TRUE(are_visible(*connection_, both).value());
}

TEST_F(RowRereadPgTest, WhatIsNoKeyAnyMoreFindsNoRow) {
  alter(
      "ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (id, \"Odd key\", v);"
      "INSERT INTO t SELECT id, \"Odd key\", v + 1, a, b FROM t WHERE id = 1");
  const std::vector<RowView> rows{row(1)};
  EXPECT_TRUE(is_changed_table(error_of(rows))) << "two rows have it";
  alter("ALTER TABLE t RENAME id TO was_id; ALTER TABLE t RENAME v TO id");
  EXPECT_TRUE(is_changed_table(error_of(rows))) << "another column has its name";
}

TEST_F(RowRereadPgTest, WhatWasReadIsFlushedAtTheSource) {
  alter("SET synchronous_commit = off; UPDATE t SET v = 7 WHERE id = 1");
  const std::vector<RowView> rows{row(1)};
  const auto read = reread(rows);
  ASSERT_TRUE(read.ok());
  const auto flushed = parse_lsn(text(*connection_, "SELECT pg_current_wal_flush_lsn()"));
  ASSERT_TRUE(flushed.has_value());
  EXPECT_GE(*flushed, read->read_upto);
}

TEST_F(RowRereadPgTest, ColumnsAreKnownByTheirNumbersWhateverTheirNamesAreByNow) {
  const std::vector<RowView> rows{row(1)};
  alter(
      "ALTER TABLE t RENAME a TO between; ALTER TABLE t RENAME b TO a; "
      "ALTER TABLE t RENAME between TO b; ALTER TABLE t RENAME id TO between; "
      "ALTER TABLE t RENAME \"Odd key\" TO id; ALTER TABLE t RENAME between TO \"Odd key\"");
  const auto read = reread(rows);
  ASSERT_TRUE(read.ok()) << read.error().describe();
  ASSERT_EQ(read->rows[0].size(), 5U);
  EXPECT_EQ(read->rows[0][3].size, 6000U);
  EXPECT_TRUE(read->rows[0][4].is_null());
}

TEST_F(RowRereadPgTest, ATableThatChangedIsNotMistakenForTheOldOne) {
  const std::vector<RowView> rows{row(1)};
  alter("ALTER TABLE t DROP COLUMN a; ALTER TABLE t ADD COLUMN a text");
  EXPECT_TRUE(is_changed_table(error_of(rows))) << "a column is gone";
  alter("ALTER TABLE t RENAME TO old; CREATE TABLE t (LIKE old)");
  EXPECT_TRUE(is_changed_table(error_of(rows))) << "it is another table";
  alter("DROP TABLE t");
  EXPECT_TRUE(is_changed_table(error_of(rows))) << "it is gone";
}

TEST_F(RowRereadPgTest, RowsWithoutAKeyInTextAreRefused) {
  for (const Value& key :
       {Value::unchanged(), Value::null(), Value{"\0\0\0\1", 4, ValueKind::binary}}) {
    const RowView whole = row(1);
    const std::span<Value> values = arena_.array<Value>(whole.size());
    std::copy(whole.begin(), whole.end(), values.begin());
    values[0] = key;
    const std::vector<RowView> rows{values};
    EXPECT_EQ(error_of(rows).kind(), ErrorKind::unsupported);
  }
}

TEST_F(RowRereadPgTest, PartitionsAreReadThroughTheirRoot) {
  alter(
      "ALTER TABLE t RENAME TO leaf;"
      "CREATE TABLE t (LIKE leaf INCLUDING INDEXES) PARTITION BY RANGE (id);"
      "ALTER TABLE t ATTACH PARTITION leaf DEFAULT");
  schema_ = load();
  const std::vector<RowView> rows{row(5)};
  const auto read =
      reread_rows(*connection_, {.schema = schema_, .is_partitioned = true, .rows = rows}, arena_);
  ASSERT_TRUE(read.ok()) << read.error().describe();
  EXPECT_EQ(read->rows[0].size(), 5U);
}

}  // namespace
}  // namespace freshet::source
