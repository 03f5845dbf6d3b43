// Sort keys against the server: PostgreSQL makes values up from a seed that is printed, and says
// how they compare.

#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "pg/testing/test_server.h"
#include "types/sort_key.h"

namespace freshet::source {
namespace {

struct KeyType {
  std::string name;
  Oid oid;
  std::string send;   // the function that gives its binary form
  std::string value;  // of a row number `n` below 4,000, random
  std::string extremes;
};

// Exponents are random too, so that values lie near each other and far apart.
const std::vector<KeyType>& key_types() {
  static const std::vector<KeyType> types = {
      {"smallint", Oid{21}, "int2send", "(random() * 65535 - 32768)::int", "-32768, 32767, 0"},
      {"integer", Oid{23}, "int4send",
       "((random() - 0.5) * 4294967294 / 10 ^ (random() * 10))::bigint",
       "-2147483648, 2147483647, -1, 0"},
      {"bigint", Oid{20}, "int8send", "((random() - 0.5) * 1.8e19 / 10 ^ (random() * 20))::bigint",
       "-9223372036854775808, 9223372036854775807, -1, 0"},
      {"uuid", Oid{2950}, "uuid_send",
       "(CASE WHEN n % 2 = 0 THEN md5(random()::text) ELSE '00ff' || "
       "right(md5(random()::text), 28) END)::uuid",
       "'00000000-0000-0000-0000-000000000000'::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'"},
      {"date", Oid{1082}, "date_send",
       "date '2000-01-01' + greatest((random() - 0.3) * 214e7 / 10 ^ (random() * 9), "
       "-2451507)::int",
       "'infinity'::date, '-infinity', '4713-01-01 BC', '5874897-12-31', '0001-01-01', "
       "'0001-12-31 BC', '0001-02-28 BC', '0005-02-28 BC', '2000-02-29', '1900-03-01'"},
      {"timestamp", Oid{1114}, "timestamp_send",
       "timestamp '2000-01-01' + greatest((random() - 0.3) * 9e12 / 10 ^ (random() * 19), "
       "-2e11) * interval '1 s'",
       "'infinity'::timestamp, '-infinity', '4713-11-24 00:00:00 BC', "
       "'294276-12-31 23:59:59.999999', '1999-12-31 23:59:59.999999', '0001-12-31 23:59:59.5 BC'"},
      {"timestamptz", Oid{1184}, "timestamptz_send",
       "timestamptz '2000-01-01 00:00:00+00' + greatest((random() - 0.3) * 9e12 / 10 ^ "
       "(random() * 19), -2e11) * interval '1 s'",
       "'infinity'::timestamptz, '-infinity', '294276-12-31 23:59:59.999999+00', "
       "'2024-02-29 12:00:00.000001+05:30', '0044-03-15 12:00:00+00 BC'"}};
  return types;
}

class SortKeyPgTest : public pg::testing::ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    const char* chosen = std::getenv("FRESHET_SEED");
    const std::uint64_t seed =
        chosen != nullptr ? std::stoull(chosen) : std::random_device{}() % 100'000;
    fmt::print("FRESHET_SEED={}\n", seed);
    run(fmt::format("SELECT setseed({} / 100000.0)", seed));
  }
};

TableSchema keyed_by(Oid type) {
  TableSchema schema;
  Column& key = schema.columns.emplace_back();
  key.name = "k";
  key.type = type;
  key.primary_key_place = 1;
  return schema;
}

SortKey encode_binary(const SortKeyCodec& codec, const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  const Value value{bytes.data(), static_cast<std::uint32_t>(bytes.size()), ValueKind::binary};
  constexpr std::uint16_t kFirst = 0;
  SortKey key;
  EXPECT_TRUE(codec.encode({&value, 1}, {&kFirst, 1}, key).ok());
  return key;
}

TEST_F(SortKeyPgTest, CompareAsTheServerCompares) {
  for (const KeyType& type : key_types()) {
    const auto rows = connection_->query(fmt::format(
        "SELECT v::text, encode({}(v), 'hex') FROM (SELECT ({})::{} FROM "
        "generate_series(1, 4000) n UNION SELECT unnest(ARRAY[{}])::{}) made(v) ORDER BY made.v",
        type.send, type.value, type.name, type.extremes, type.name));
    ASSERT_TRUE(rows.ok()) << type.name << rows.error().describe();
    ASSERT_GT(rows->rows(), 1000) << type.name;
    const auto codec = SortKeyCodec::of(keyed_by(type.oid));
    ASSERT_TRUE(codec.has_value()) << type.name;
    SortKey before;
    for (int row = 0; row < rows->rows(); ++row) {
      const std::string text = rows->string(row, 0);
      const auto key = codec->encode(std::vector<std::string>{text});
      ASSERT_TRUE(key.ok()) << type.name << ' ' << text;
      EXPECT_EQ(codec->decode(*key), std::vector<std::string>{text}) << type.name;
      EXPECT_EQ(encode_binary(*codec, rows->string(row, 1)), *key) << type.name << ' ' << text;
      EXPECT_TRUE(row == 0 || before < *key) << type.name << ' ' << text;
      before = *key;
    }
  }
}

}  // namespace
}  // namespace freshet::source
