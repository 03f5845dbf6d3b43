#include "core/ddl_capture.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "core/assembler.h"
#include "core/pgoutput/testing/message_builder.h"

namespace freshet {
namespace {

namespace make = pgoutput::testing;
using Strings = std::vector<std::string>;

constexpr std::uint32_t kTable = 16400;
const std::vector<make::ColumnSpec> kColumns{{"id", 20, true}, {"v", 25}};

// `id` is column 1, and `v` is column `number`; a generated column stands between them.
std::string definition(int number, std::uint32_t subxid = 0, const char* name = "v") {
  return R"({"version": 1, "xid": )" + std::to_string(subxid) +
         R"(, "relation": 16400, "schema": "public", "table": "t", "identity": "d",
             "definition": "d)" +
         std::to_string(number) + R"(", "files": "16400:16400", "columns": [
             ["id", 1, 20, -1, "bigint", true, false, true, 1, true, null],
             ["g", 2, 20, -1, "bigint", false, true, true, 0, false, null],
             [")" +
         name + "\", " + std::to_string(number) +
         R"(, 25, -1, "text", false, false, true, 0, false, "old"]]})";
}

std::string capture(int number, std::uint32_t subxid = 0) {
  return make::logical_message(kDdlPrefix, definition(number, subxid));
}

std::string capture_in(std::uint32_t xid, int number, std::uint32_t subxid) {
  return make::logical_message(kDdlPrefix, definition(number, subxid), true, xid);
}

TEST(DdlCapture, IsReadFromItsMessage) {
  const CapturePtr captured = parse_capture(definition(3, 42));
  ASSERT_NE(captured, nullptr);
  EXPECT_EQ(captured->subxid, Xid{42});
  EXPECT_EQ(captured->all->columns.size(), 3U);
  const TableSchema& schema = *captured->published;
  EXPECT_EQ(schema.name, (TableName{"public", "t"}));
  ASSERT_EQ(schema.columns.size(), 2U);
  EXPECT_EQ(schema.columns[0].primary_key_place, 1);
  EXPECT_EQ(schema.columns[1].attnum, 3);
  EXPECT_EQ(schema.columns[1].type_sql, "");
  EXPECT_EQ(schema.version, 0U);
  EXPECT_EQ(*schema.columns[1].missing_value, "old");
  EXPECT_EQ(schema.definition, "d3");
}

TEST(DdlCapture, IsNoOtherMessage) {
  EXPECT_EQ(parse_capture(""), nullptr);
  EXPECT_EQ(parse_capture("[]"), nullptr);
  EXPECT_EQ(parse_capture(R"({"version": 1})"), nullptr);
  std::string other = definition(3);
  other.replace(other.find("1,"), 1, "2");
  EXPECT_EQ(parse_capture(other), nullptr);
}

TEST(DdlCapture, CompletesOnlyWhatItDescribes) {
  const CapturePtr captured = parse_capture(definition(3));
  TableSchema announced;
  announced.columns = captured->published->columns;
  for (Column& column : announced.columns)
    column.attnum = 0;
  TableSchema other = announced;
  EXPECT_TRUE(complete(announced, *captured));
  EXPECT_EQ(announced.columns[1].attnum, 3);
  std::swap(other.columns[0], other.columns[1]);
  EXPECT_FALSE(complete(other, *captured));
  EXPECT_EQ(other.columns[0].attnum, 0);
  EXPECT_EQ(other.definition, "");
}

class CapturedStream : public ::testing::Test {
 protected:
  // The transactions that commit, as text: for each row the number of the column `v`.
  Strings push(const Strings& messages) {
    Strings out;
    for (const std::string& message : messages) {
      Result<TransactionPtr> result = assembler_.push(Lsn{++lsn_}, message);
      EXPECT_TRUE(result.ok()) << result.error().describe();
      if (!result.ok() || *result == nullptr) continue;
      TransactionReader reader = (*result)->read();
      Piece piece;
      for (auto more = reader.next(piece); more.ok() && *more; more = reader.next(piece)) {
        for (const Item& item : piece.items()) {
          const std::string number = std::to_string(item.schema->columns.back().attnum);
          if (item.kind == Item::Kind::definition) out.push_back("definition " + number);
          for (std::size_t i = 0; i < item.changes.size(); ++i)
            out.push_back(number);
        }
      }
    }
    return out;
  }

  MemorySpillStore spill_;
  Assembler assembler_{{}, spill_};
  std::uint64_t lsn_ = 1000;
};

TEST_F(CapturedStream, TellsColumnsOfOneNameApart) {
  EXPECT_EQ(push({make::begin(500, 7), make::relation(kTable, "t", kColumns),
                  make::insert(kTable, {"1", "a"}), capture(3), capture(4),
                  make::relation(kTable, "t", kColumns), make::insert(kTable, {"2", "b"}),
                  make::commit(500, 510)}),
            (Strings{"0", "definition 3", "definition 4", "4"}));
  EXPECT_EQ(push({make::begin(600, 8), make::relation(kTable, "t", kColumns),
                  make::insert(kTable, {"3", "c"}), make::commit(600, 610)}),
            Strings{"4"});
}

TEST_F(CapturedStream, IsLeftAsideWhereTheRelationSaysOtherwise) {
  const std::vector<make::ColumnSpec> renamed{{"id", 20, true}, {"w", 25}};
  EXPECT_EQ(push({make::begin(500, 7), capture(3), make::relation(kTable, "t", renamed),
                  make::insert(kTable, {"1", "a"}), make::commit(500, 510)}),
            (Strings{"definition 3", "0"}));
}

TEST_F(CapturedStream, ForgetsWhatASubtransactionUndid) {
  EXPECT_EQ(push({make::stream_start(7, true), capture_in(7, 3, 8),
                  make::relation(kTable, "t", kColumns, 7), make::insert(kTable, {"1", "a"}, 7),
                  capture_in(7, 4, 9), make::relation(kTable, "t", kColumns, 7),
                  make::insert(kTable, {"2", "b"}, 9), make::stream_stop(),
                  make::stream_abort(7, 9), make::stream_start(7, false),
                  make::relation(kTable, "t", kColumns, 7), make::insert(kTable, {"3", "c"}, 7),
                  make::stream_stop(), make::stream_commit(7, 500, 510)}),
            (Strings{"definition 3", "3", "3"}));
}

TEST_F(CapturedStream, HoldsForOthersOnlyOnceItIsCommitted) {
  const Strings row{make::begin(600, 9), make::relation(kTable, "t", kColumns),
                    make::insert(kTable, {"1", "a"}), make::commit(600, 610)};
  push({make::begin_prepare(100, 7, "x"), capture(3), make::prepare(100, 7, "x")});
  EXPECT_EQ(push(row), Strings{"0"});
  push({make::rollback_prepared(110, 7, "x")});
  EXPECT_EQ(push(row), Strings{"0"});
  push({make::stream_start(8, true), capture_in(8, 4, 8), make::stream_stop(),
        make::stream_commit(8, 700, 710)});
  EXPECT_EQ(push(row), Strings{"4"});
}

}  // namespace
}  // namespace freshet
