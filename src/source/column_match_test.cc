#include "source/column_match.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace freshet::source {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr Oid kInt{23};
constexpr Oid kText{25};
constexpr Oid kBig{20};

struct Named {
  std::int16_t attnum;
  std::string name;
  Oid type = kText;
};

Column column(const Named& named) {
  Column column;
  column.name = named.name;
  column.type = named.type;
  column.attnum = named.attnum;
  return column;
}

TableSchema schema(const std::vector<Named>& columns) {
  TableSchema schema;
  for (const Named& named : columns)
    schema.columns.push_back(column(named));
  return schema;
}

/// The catalogue's columns; `highest` where the last one was dropped.
ColumnList catalogue(const std::vector<Named>& columns, std::int16_t highest = 0) {
  ColumnList list;
  for (const Named& named : columns) {
    list.columns.push_back({.column = column(named), .is_generated = false});
    list.highest = std::max(list.highest, named.attnum);
  }
  list.highest = std::max(list.highest, highest);
  return list;
}

std::vector<std::int16_t> numbers(const std::vector<Named>& announced,
                                  const TableSchema& previous,
                                  const ColumnList& present) {
  std::vector<std::int16_t> numbers;
  for (const MatchedColumn& matched : match_columns(schema(announced), &previous, present))
    numbers.push_back(matched.attnum);
  return numbers;
}

TEST(ColumnMatch, TakesTheCatalogueWhereItHasAllOfThem) {
  const TableSchema before = schema({{1, "id"}, {2, "a"}, {3, "b"}});
  EXPECT_THAT(
      numbers({{0, "id"}, {0, "b"}, {0, "c"}}, before, catalogue({{1, "id"}, {3, "b"}, {4, "c"}})),
      ElementsAre(1, 3, 4));
  EXPECT_THAT(
      numbers({{0, "id"}, {0, "x"}, {0, "b"}}, before, catalogue({{1, "id"}, {2, "x"}, {3, "b"}})),
      ElementsAre(1, 2, 3));
}

TEST(ColumnMatch, TakesWhatWasBeforeWhereTheCatalogueIsAhead) {
  const TableSchema before = schema({{1, "id"}, {2, "a"}, {3, "b"}});
  EXPECT_THAT(numbers({{0, "id"}, {0, "a"}, {0, "b"}}, before,
                      catalogue({{1, "id"}, {3, "b"}, {4, "c"}, {5, "d"}})),
              ElementsAre(1, 2, 3));
}

TEST(ColumnMatch, AColumnToBeRenamedOverAnotherIsKnownByTheOnlyNumberLeft) {
  const TableSchema before = schema({{1, "id"}, {2, "b", kInt}});
  EXPECT_THAT(numbers({{0, "id"}, {0, "b", kInt}, {0, "n", kBig}}, before,
                      catalogue({{1, "id"}, {3, "b", kBig}})),
              ElementsAre(1, 2, 3));
  EXPECT_THAT(numbers({{0, "id"}, {0, "b", kInt}, {0, "n", kInt}}, before,
                      catalogue({{1, "id"}, {2, "b_old", kInt}, {3, "b", kInt}})),
              ElementsAre(1, 2, 3));
  EXPECT_THAT(numbers({{0, "id"}, {0, "b", kInt}, {0, "n"}, {0, "m"}}, before,
                      catalogue({{1, "id"}, {2, "b", kInt}, {3, "m"}, {4, "x"}})),
              ElementsAre(1, 2, 3, 4))
      << "all that came before the last one are there";
}

TEST(ColumnMatch, NamesThatWereExchangedAreKnownByTheirOrder) {
  const TableSchema before = schema({{1, "id"}, {2, "a"}, {3, "b"}});
  EXPECT_THAT(
      numbers({{0, "id"}, {0, "b"}, {0, "a"}}, before, catalogue({{1, "id"}, {2, "y"}, {3, "x"}})),
      ElementsAre(1, 2, 3));
  EXPECT_THAT(numbers({{0, "id"}, {0, "between"}, {0, "b"}}, before,
                      catalogue({{1, "id"}, {2, "b"}, {3, "a"}})),
              ElementsAre(1, 2, 3));
}

TEST(ColumnMatch, WhatMayBeEitherOfTwoIsNotKnown) {
  const TableSchema before = schema({{1, "id"}, {2, "a"}});
  EXPECT_THAT(numbers({{0, "id"}, {0, "a"}}, before, catalogue({{1, "id"}, {3, "a"}})), IsEmpty());
  EXPECT_THAT(numbers({{0, "id"}, {0, "c"}}, before, catalogue({{1, "id"}, {3, "d"}})), IsEmpty())
      << "the one before, renamed and dropped, or the one since, renamed since";
  EXPECT_THAT(numbers({{0, "id"}, {0, "a"}, {0, "b"}}, before, catalogue({{1, "id"}})), IsEmpty())
      << "there were never so many";
}

TEST(ColumnMatch, AColumnMadeAgainIsKnownByItsPlaceAmongOthers) {
  const TableSchema before = schema({{1, "id"}, {2, "v"}, {3, "w"}});
  const ColumnList present = catalogue({{1, "id"}, {3, "w"}, {4, "v"}});
  EXPECT_THAT(numbers({{0, "id"}, {0, "v"}, {0, "w"}}, before, present), ElementsAre(1, 2, 3));
  EXPECT_THAT(numbers({{0, "id"}, {0, "w"}, {0, "v"}}, before, present), ElementsAre(1, 3, 4));
}

TEST(ColumnMatch, AColumnThatCameAndWentIsKnownByTheNumberItHad) {
  const TableSchema before = schema({{1, "id"}, {2, "a"}});
  EXPECT_THAT(
      numbers({{0, "id"}, {0, "a"}, {0, "n", kInt}}, before, catalogue({{1, "id"}, {2, "a"}}, 3)),
      ElementsAre(1, 2, 3));
}

TEST(ColumnMatch, APublicationMayLeaveColumnsOut) {
  const TableSchema before = schema({{1, "id"}, {4, "d"}});
  const ColumnList present = catalogue({{1, "id"}, {2, "b"}, {3, "c"}, {4, "d"}, {5, "e"}});
  EXPECT_THAT(numbers({{0, "id"}, {0, "d"}}, before, present), ElementsAre(1, 4));
  EXPECT_THAT(numbers({{0, "id"}, {0, "c"}, {0, "d"}}, before, present), ElementsAre(1, 3, 4));
  std::vector<std::int16_t> first;
  for (const MatchedColumn& matched :
       match_columns(schema({{0, "id"}, {0, "c"}, {0, "e"}}), nullptr, present))
    first.push_back(matched.attnum);
  EXPECT_THAT(first, ElementsAre(1, 3, 5));
}

}  // namespace
}  // namespace freshet::source
