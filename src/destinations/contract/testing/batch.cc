#include "destinations/contract/testing/batch.h"

namespace freshet::testing_rows {

SchemaPtr text_table(const TableName& name,
                     const std::vector<std::string>& columns,
                     ReplicaIdentity identity) {
  auto schema = std::make_shared<TableSchema>();
  schema->relation = Oid{16'400};
  schema->name = name;
  schema->identity = identity;
  for (const std::string& column_name : columns) {
    Column column;
    const bool is_key = schema->columns.empty();
    column.name = column_name;
    column.type = Oid{is_key ? 23U : 25U};
    column.type_sql = is_key ? "integer" : "text";
    column.attnum = static_cast<std::int16_t>(schema->columns.size() + 1);
    column.is_not_null = is_key;
    column.is_identity = is_key || identity == ReplicaIdentity::full;
    column.primary_key_place = is_key ? 1 : 0;
    column.is_byte_comparable = true;
    schema->columns.push_back(column);
  }
  return schema;
}

}  // namespace freshet::testing_rows
