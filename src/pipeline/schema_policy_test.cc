#include "pipeline/schema_policy.h"

#include <gtest/gtest.h>

namespace freshet {
namespace {

Column column(const char* name, std::int16_t attnum, std::uint32_t type = 23) {
  Column column;
  column.name = name;
  column.attnum = attnum;
  column.type = Oid{type};
  column.type_sql = type == 23 ? "integer" : "text";
  column.is_identity = attnum == 1;
  return column;
}

TableSchema table(std::vector<Column> columns) {
  TableSchema schema;
  schema.relation = Oid{16400};
  schema.name = {"public", "t"};
  schema.columns = std::move(columns);
  return schema;
}

TEST(SchemaPolicy, OfATableComesBeforeThePipelines) {
  SourceConfig source;
  TableConfig config;
  EXPECT_EQ(policy_of(source, config), SchemaChanges::evolve);
  source.schema_changes = SchemaChanges::halt;
  EXPECT_EQ(policy_of(source, config), SchemaChanges::halt);
  config.schema_changes = SchemaChanges::ignore;
  EXPECT_EQ(policy_of(source, config), SchemaChanges::ignore);
}

TEST(SchemaPolicy, NamesWhatChanged) {
  const TableSchema from = table({column("id", 1), column("a", 2), column("b", 3), column("c", 4)});
  const TableSchema to =
      table({column("id", 1), column("b", 2), column("c", 4, 25), column("d", 5)});
  EXPECT_EQ(describe_columns(from, to), "added d, renamed a to b, dropped b");
  EXPECT_EQ(not_followed(from, to, "x").find("change"),
            "added d, renamed a to b, dropped b, changed c from integer to text");
  EXPECT_EQ(describe_columns(from, from), "");
}

TEST(SchemaPolicy, IgnoresWhatTheTableNeedNotKnow) {
  const TableSchema kept = table({column("id", 1), column("a", 2)});
  EXPECT_TRUE(check_kept(kept, kept, kept).ok());
  const TableSchema dropped = table({column("id", 1)});
  EXPECT_TRUE(check_kept(kept, dropped, dropped).ok());
  const TableSchema renamed = table({column("id", 1), column("x", 2)});
  EXPECT_TRUE(check_kept(kept, renamed, kept).ok());
}

TEST(SchemaPolicy, RefusesWhatTheTableCannotTake) {
  const TableSchema kept = table({column("id", 1), column("a", 2)});
  const TableSchema retyped = table({column("id", 1), column("a", 2, 25)});
  EXPECT_EQ(check_kept(kept, retyped, retyped).error().kind(), ErrorKind::schema);
  const TableSchema without_key = table({column("a", 2)});
  EXPECT_FALSE(check_kept(kept, without_key, without_key).ok());
  const TableSchema other_key = table({column("key", 1), column("a", 2)});
  EXPECT_FALSE(check_kept(kept, other_key, kept).ok());
  TableSchema other = kept;
  other.relation = Oid{16500};
  EXPECT_FALSE(check_kept(kept, other, other).ok());
}

}  // namespace
}  // namespace freshet
