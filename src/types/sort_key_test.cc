#include "types/sort_key.h"

#include <gtest/gtest.h>

namespace freshet {
namespace {

constexpr Oid kInt4{23};
constexpr Oid kInt8{20};
constexpr Oid kText{25};
constexpr Oid kUuid{2950};
constexpr Oid kDate{1082};
constexpr Oid kTimestamptz{1184};

Column column(std::string name, Oid type, std::int16_t key_place) {
  Column made;
  made.name = std::move(name);
  made.type = type;
  made.primary_key_place = key_place;
  return made;
}

TableSchema table(std::vector<Column> columns) {
  TableSchema schema;
  schema.columns = std::move(columns);
  return schema;
}

SortKey encode(const SortKeyCodec& codec, std::vector<std::string> values) {
  auto key = codec.encode(values);
  EXPECT_TRUE(key.ok());
  return key.ok() ? *key : SortKey{};
}

TEST(SortKey, IntegersCompareAsNumbers) {
  const auto codec = SortKeyCodec::of(table({column("id", kInt8, 1)}));
  ASSERT_TRUE(codec.has_value());
  const std::vector<std::string> ascending = {
      "-9223372036854775808", "-256", "-1", "0", "1", "255", "256", "9223372036854775807"};
  for (std::size_t i = 1; i < ascending.size(); ++i) {
    EXPECT_LT(encode(*codec, {ascending[i - 1]}), encode(*codec, {ascending[i]})) << ascending[i];
  }
  for (const std::string& text : ascending)
    EXPECT_EQ(codec->decode(encode(*codec, {text})), std::vector<std::string>{text});
}

SortKey encode_binary(const SortKeyCodec& codec, std::string_view bytes) {
  const Value value{bytes.data(), static_cast<std::uint32_t>(bytes.size()), ValueKind::binary};
  constexpr std::uint16_t kFirst = 0;
  SortKey key;
  EXPECT_TRUE(codec.encode({&value, 1}, {&kFirst, 1}, key).ok());
  return key;
}

TEST(SortKey, ValuesInBinaryFormHaveTheKeyOfTheirText) {
  using std::string_view_literals::operator""sv;
  const auto integers = SortKeyCodec::of(table({column("id", kInt8, 1)}));
  EXPECT_EQ(encode_binary(*integers, "\x00\x00\x00\x00\x00\x00\x01\x02"sv),
            encode(*integers, {"258"}));
  EXPECT_EQ(encode_binary(*integers, "\xff\xff\xff\xfe"sv), encode(*integers, {"-2"}));
  EXPECT_EQ(encode_binary(*integers, "\x80\x00"sv), encode(*integers, {"-32768"}));
  const auto uuids = SortKeyCodec::of(table({column("id", kUuid, 1)}));
  EXPECT_EQ(encode_binary(*uuids, "\xa0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x0b"sv),
            encode(*uuids, {"a0000000-0000-0000-0000-00000000000b"}));
  const Value odd{"abc", 3, ValueKind::binary};
  constexpr std::uint16_t kFirst = 0;
  SortKey key;
  EXPECT_FALSE(integers->encode({&odd, 1}, {&kFirst, 1}, key).ok());
  EXPECT_FALSE(uuids->encode({&odd, 1}, {&kFirst, 1}, key).ok());
  const auto dates = SortKeyCodec::of(table({column("id", kDate, 1)}));
  const auto times = SortKeyCodec::of(table({column("id", kTimestamptz, 1)}));
  const Value eight{"\0\0\0\0\0\0\0\1", 8, ValueKind::binary};
  const Value four{eight.data + 4, 4, ValueKind::binary};
  EXPECT_EQ(encode_binary(*dates, four.view()), encode(*dates, {"2000-01-02"}));
  EXPECT_EQ(encode_binary(*times, eight.view()), encode(*times, {"2000-01-01 00:00:00.000001+00"}));
  EXPECT_FALSE(dates->encode({&eight, 1}, {&kFirst, 1}, key).ok());
  EXPECT_FALSE(times->encode({&four, 1}, {&kFirst, 1}, key).ok());
}

TEST(SortKey, UuidsCompareAsBytes) {
  const auto codec = SortKeyCodec::of(table({column("id", kUuid, 1)}));
  ASSERT_TRUE(codec.has_value());
  const std::string low = "00ffffff-ffff-ffff-ffff-ffffffffffff";
  const std::string high = "a0000000-0000-0000-0000-00000000000b";
  EXPECT_LT(encode(*codec, {low}), encode(*codec, {high}));
  EXPECT_EQ(codec->decode(encode(*codec, {high})), std::vector<std::string>{high});
  EXPECT_FALSE(codec->encode(std::vector<std::string>{"a0-0b"}).ok());
}

TEST(SortKey, ColumnsCompareInTheOrderOfThePrimaryKey) {
  const auto codec = SortKeyCodec::of(
      table({column("b", kInt4, 2), column("x", kText, 0), column("a", kInt4, 1)}));
  ASSERT_TRUE(codec.has_value());
  EXPECT_EQ(codec->columns(), (std::vector<std::string>{"a", "b"}));
  EXPECT_LT(encode(*codec, {"1", "99"}), encode(*codec, {"2", "-5"}));
  EXPECT_EQ(codec->decode(encode(*codec, {"-7", "8"})), (std::vector<std::string>{"-7", "8"}));
}

TEST(SortKey, RowsAreReadWhereTheirColumnsAre) {
  const TableSchema streamed = table({column("x", kText, 0), column("id", kInt4, 1)});
  const auto codec = SortKeyCodec::of(streamed);
  ASSERT_TRUE(codec.has_value());
  const auto places = codec->places_in(streamed);
  ASSERT_TRUE(places.has_value());
  const std::vector<Value> row{Value::text("y"), Value::text("42")};
  SortKey key;
  ASSERT_TRUE(codec->encode(row, *places, key).ok());
  EXPECT_EQ(key, encode(*codec, {"42"}));
  const std::vector<Value> unsent{Value::text("y"), Value::unchanged()};
  EXPECT_EQ(codec->encode(unsent, *places, key).error().kind(), ErrorKind::data);
  EXPECT_FALSE(codec->places_in(table({column("x", kText, 0)})).has_value());
}

TEST(SortKey, NoneWhereTheOrderOrTheOldTupleCannotBeTrusted) {
  EXPECT_FALSE(SortKeyCodec::of(table({column("id", kInt4, 0)})).has_value());
  EXPECT_FALSE(SortKeyCodec::of(table({column("id", kText, 1)})).has_value());
  EXPECT_FALSE(SortKeyCodec::of(table({column("b", kInt4, 2)})).has_value());
  TableSchema by_index = table({column("id", kInt4, 1)});
  by_index.identity = ReplicaIdentity::index;
  EXPECT_FALSE(SortKeyCodec::of(by_index).has_value());
  by_index.identity = ReplicaIdentity::full;
  EXPECT_TRUE(SortKeyCodec::of(by_index).has_value());
}

}  // namespace
}  // namespace freshet
