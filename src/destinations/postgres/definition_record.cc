#include "destinations/postgres/definition_record.h"

#include <array>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/try.h"
#include "destinations/postgres/sql.h"
#include "pg/array_literal.h"

namespace freshet::postgres {
namespace {

using Json = nlohmann::ordered_json;
using Text = std::optional<std::string_view>;

std::string to_text(const TableSchema& schema) {
  Json columns = Json::array();
  for (const Column& column : schema.columns) {
    columns.push_back({{"attnum", column.attnum},
                       {"name", column.name},
                       {"type", column.type_sql},
                       {"is_identity", column.is_identity},
                       {"primary_key_place", column.primary_key_place},
                       {"is_derived", column.is_derived}});
  }
  const Json definition{{"identity", std::string(1, static_cast<char>(schema.identity))},
                        {"columns", std::move(columns)}};
  return definition.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Column read_column(const Json& json) {
  Column column;
  column.attnum = json.at("attnum").get<std::int16_t>();
  column.name = json.at("name").get<std::string>();
  column.type_sql = json.at("type").get<std::string>();
  column.is_identity = json.at("is_identity").get<bool>();
  column.primary_key_place = json.at("primary_key_place").get<std::int16_t>();
  column.is_derived = json.at("is_derived").get<bool>();
  return column;
}

Result<TableSchema> parse(const TableName& table, std::string_view text) {
  TableSchema schema;
  schema.name = table;
  try {
    const Json definition = Json::parse(text);
    schema.identity = ReplicaIdentity{definition.at("identity").get<std::string>().at(0)};
    for (const Json& column : definition.at("columns"))
      schema.columns.push_back(read_column(column));
  } catch (const std::exception&) {
    return Error{ErrorKind::storage, "a row of freshet.definitions is damaged"}
        .with("table", to_string(table))
        .fix("delete it, and have the table copied again: freshet table resync");
  }
  return schema;
}

}  // namespace

Result<std::optional<TableSchema>> load_definition(pg::Connection& connection,
                                                   const std::string& pipeline,
                                                   const TableName& table) {
  FRESHET_TRY(const pg::Rows rows,
              connection.query(sql::kSqlLoadDefinition,
                               std::array{Text{pipeline}, Text{table.schema}, Text{table.table}}));
  if (rows.rows() == 0) return std::optional<TableSchema>{};
  FRESHET_TRY(TableSchema schema, parse(table, rows.text(0, 0)));
  return std::optional{std::move(schema)};
}

Status record_definitions(pg::Connection& connection,
                          const std::string& pipeline,
                          std::span<const SchemaPtr> schemas) {
  pg::ArrayLiteral namespaces;
  pg::ArrayLiteral tables;
  pg::ArrayLiteral definitions;
  for (const SchemaPtr& schema : schemas) {
    namespaces.add(schema->name.schema);
    tables.add(schema->name.table);
    definitions.add(to_text(*schema));
  }
  auto recorded = connection.query(sql::kSqlRecordDefinitions,
                                   std::array{Text{pipeline}, Text{namespaces.text()},
                                              Text{tables.text()}, Text{definitions.text()}});
  return recorded.ok() ? ok_status() : Status{std::move(recorded).error()};
}

}  // namespace freshet::postgres
