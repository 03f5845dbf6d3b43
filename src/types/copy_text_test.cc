#include "types/copy_text.h"

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace freshet {
namespace {

using Cell = std::optional<std::string>;
using Cells = std::vector<Cell>;

/// Splits `row` into as many fields as `count`; nothing if it was refused.
std::optional<Cells> split(std::string_view row, std::size_t count) {
  Arena arena;
  std::vector<Value> fields(count);
  // An exact copy on the heap: the address sanitizer sees a read past it.
  const std::vector<char> copy(row.begin(), row.end());
  const Status status = split_copy_row({copy.data(), copy.size()}, fields, arena);
  if (!status) {
    EXPECT_EQ(status.error().kind(), ErrorKind::protocol);
    return std::nullopt;
  }
  Cells cells;
  for (const Value& field : fields) {
    cells.push_back(field.is_null() ? Cell{} : Cell{std::string{field.view()}});
  }
  return cells;
}

std::string join(const Cells& cells) {
  std::vector<Value> row;
  for (const Cell& cell : cells)
    row.push_back(cell ? Value::text(*cell) : Value::null());
  std::string out;
  EXPECT_TRUE(append_copy_row(row, out).ok());
  return out;
}

TEST(CopyTextTest, SplitsAtTabs) {
  EXPECT_EQ(split("1\thello world\t\tx\n", 4), (Cells{"1", "hello world", "", "x"}));
}

TEST(CopyTextTest, TakesRowsWithoutLineFeed) {
  EXPECT_EQ(split("a\tb", 2), (Cells{"a", "b"}));
}

TEST(CopyTextTest, TellsNullFromEmptyAndFromEscapedText) {
  EXPECT_EQ(split("\\N\t\t\\\\N\tN\n", 4), (Cells{std::nullopt, "", "\\N", "N"}));
  EXPECT_EQ(split("\\N\n", 1), (Cells{std::nullopt}));
}

TEST(CopyTextTest, TakesBackslashNInsideTextAsLetter) {
  EXPECT_EQ(split("a\\N\t\\Nb", 2), (Cells{"aN", "Nb"}));
}

TEST(CopyTextTest, UnescapesControlCharacters) {
  EXPECT_EQ(split("\\b\\f\\n\\r\\t\\v\\\\", 1), (Cells{"\b\f\n\r\t\v\\"}));
  EXPECT_EQ(split("some text before\\tand after it", 1), (Cells{"some text before\tand after it"}));
}

TEST(CopyTextTest, UnescapesOctalAndHexadecimalBytes) {
  EXPECT_EQ(split("\\101\\1018\\7", 1), (Cells{"AA8\a"}));
  EXPECT_EQ(split("\\x41\\x4\\xg\\x", 1), (Cells{"A\x04xgx"}));
  EXPECT_EQ(split("\\x414", 1), (Cells{"A4"}));
}

TEST(CopyTextTest, TakesEscapedTabAsText) {
  EXPECT_EQ(split("a\\\tb\tc", 2), (Cells{"a\tb", "c"}));
}

TEST(CopyTextTest, PointsIntoRowUnlessSomethingWasEscaped) {
  const std::string row = "plain\tesc\\taped\n";
  Arena arena;
  std::vector<Value> fields(2);
  ASSERT_TRUE(split_copy_row(row, fields, arena).ok());
  EXPECT_EQ(fields[0].data, row.data());
  EXPECT_TRUE(fields[1].data < row.data() || fields[1].data >= row.data() + row.size());
}

TEST(CopyTextTest, TakesRowOfTableWithoutColumns) {
  EXPECT_EQ(split("\n", 0), Cells{});
  EXPECT_EQ(split("x\n", 0), std::nullopt);
  EXPECT_EQ(split("\n", 1), Cells{""});
}

TEST(CopyTextTest, RefusesWrongNumberOfFields) {
  EXPECT_EQ(split("a\tb\n", 3), std::nullopt);
  EXPECT_EQ(split("a\tb\tc\n", 2), std::nullopt);
  EXPECT_EQ(split("a\t\n", 1), std::nullopt);
}

TEST(CopyTextTest, RefusesWhatNoServerSends) {
  EXPECT_EQ(split("\\.\n", 1), std::nullopt);
  EXPECT_EQ(split("a\\", 1), std::nullopt);
  EXPECT_EQ(split("a\\0b", 1), std::nullopt);
  EXPECT_EQ(split(std::string_view{"a\0b", 3}, 1), std::nullopt);
}

TEST(CopyTextTest, EscapesOnlyWhatHasAMeaning) {
  EXPECT_EQ(join({"a\tb\nc\rd\\e\bf\fg\vh", std::nullopt, "", "\x01\x7f\xc3\xa9"}),
            "a\\tb\\nc\\rd\\\\e\\bf\\fg\\vh\t\\N\t\t\x01\x7f\xc3\xa9\n");
}

TEST(CopyTextTest, RefusesToWriteUnchangedAndBinaryValues) {
  std::string out = "before";
  const std::vector<Value> unchanged{Value::text("a"), Value::unchanged()};
  EXPECT_EQ(append_copy_row(unchanged, out).error().kind(), ErrorKind::data);
  const std::vector<Value> binary{Value{"x", 1, ValueKind::binary}};
  EXPECT_EQ(append_copy_row(binary, out).error().find("column"), "1");
  EXPECT_EQ(out, "before");
}

TEST(CopyTextTest, WhatIsWrittenIsReadBack) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random{seed};
  constexpr std::string_view kBytes = "\t\n\\\b\v\f\rN.x01ab\x7f\xff\x80";
  for (int round = 0; round < 2000; ++round) {
    Cells cells(1 + random() % 5);
    for (Cell& cell : cells) {
      if (random() % 5 == 0) continue;
      cell.emplace(random() % 40, ' ');
      std::generate(cell->begin(), cell->end(),
                    [&] { return random() % 3 == 0 ? kBytes[random() % kBytes.size()] : 'm'; });
    }
    EXPECT_EQ(split(join(cells), cells.size()), cells);
  }
}

}  // namespace
}  // namespace freshet
