#include "types/schema_json.h"

#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

namespace freshet {
namespace {

TableSchema sample() {
  TableSchema schema;
  schema.relation = Oid{4000000000U};
  schema.name = {"public", "t"};
  schema.identity = ReplicaIdentity::index;
  schema.version = 7;
  schema.definition = "d1";
  schema.files = "1:2 3:4";
  Column key;
  key.name = "id \"x\"";
  key.type = Oid{23};
  key.type_sql = "integer";
  key.attnum = 1;
  key.is_not_null = key.is_identity = key.is_byte_comparable = true;
  key.primary_key_place = 1;
  Column added;
  added.name = "a";
  added.type = Oid{99999};
  added.typmod = 20;
  added.type_sql = "public.mood";
  added.attnum = 12;
  added.is_builtin_type = false;
  added.missing_value = std::make_shared<const std::string>("\xff\x00 'x'", 6);
  Column derived;
  derived.name = "e";
  derived.type_sql = "vector(256)";
  derived.is_derived = true;
  schema.columns = {std::move(key), std::move(added), std::move(derived)};
  return schema;
}

TEST(SchemaJson, ComesBackAsItWas) {
  const TableSchema schema = sample();
  const auto read = parse_schema(schema.name, to_json(schema));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->relation, schema.relation);
  EXPECT_EQ(read->name, schema.name);
  EXPECT_EQ(read->identity, schema.identity);
  EXPECT_EQ(read->version, schema.version);
  EXPECT_EQ(read->definition, schema.definition);
  EXPECT_EQ(read->files, schema.files);
  EXPECT_EQ(read->columns, schema.columns);
  const auto columns = parse_columns(to_json(schema.columns));
  ASSERT_TRUE(columns);
  EXPECT_EQ(*columns, schema.columns);
}

TEST(SchemaJson, AnythingElseIsRefused) {
  const TableSchema schema = sample();
  for (const std::string& text :
       {std::string{}, std::string{"{}"}, std::string{"[]"}, std::string{"{\"columns\":[]}"},
        to_json(schema.columns), to_json(schema).substr(1)}) {
    EXPECT_FALSE(parse_schema(schema.name, text)) << text;
  }
  std::string damaged = to_json(schema);
  damaged.replace(damaged.find("ff00"), 4, "ff0x");
  EXPECT_FALSE(parse_schema(schema.name, damaged));
  EXPECT_FALSE(parse_columns("[{}]"));
  EXPECT_FALSE(parse_columns("{"));
}

}  // namespace
}  // namespace freshet
