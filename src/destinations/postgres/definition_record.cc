#include "destinations/postgres/definition_record.h"

#include <array>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "base/try.h"
#include "destinations/postgres/sql.h"
#include "pg/array_literal.h"
#include "types/schema_json.h"

namespace freshet::postgres {
namespace {

using Text = std::optional<std::string_view>;

Result<std::map<TableName, SchemaPtr>> load(pg::Connection& connection,
                                            const std::string& pipeline,
                                            const TableName* only) {
  const Text schema = only != nullptr ? Text{only->schema} : Text{};
  const Text table = only != nullptr ? Text{only->table} : Text{};
  FRESHET_TRY(const pg::Rows rows, connection.query(sql::kSqlLoadDefinitions,
                                                    std::array{Text{pipeline}, schema, table}));
  std::map<TableName, SchemaPtr> definitions;
  for (int row = 0; row < rows.rows(); ++row) {
    const TableName name{.schema = rows.string(row, 0), .table = rows.string(row, 1)};
    auto definition = parse_schema(name, rows.text(row, 2));
    if (!definition) {
      return Error{ErrorKind::storage, "a row of freshet.definitions is damaged"}
          .with("table", to_string(name))
          .fix("delete it, and have the table copied again: freshet table resync");
    }
    definitions.emplace(name, std::make_shared<const TableSchema>(*std::move(definition)));
  }
  return definitions;
}

}  // namespace

Result<std::map<TableName, SchemaPtr>> load_definitions(pg::Connection& connection,
                                                        const std::string& pipeline) {
  return load(connection, pipeline, nullptr);
}

Result<SchemaPtr> load_definition(pg::Connection& connection,
                                  const std::string& pipeline,
                                  const TableName& table) {
  FRESHET_TRY(auto found, load(connection, pipeline, &table));
  return found.empty() ? SchemaPtr{} : std::move(found.begin()->second);
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
    definitions.add(to_json(*schema));
  }
  auto recorded = connection.query(sql::kSqlRecordDefinitions,
                                   std::array{Text{pipeline}, Text{namespaces.text()},
                                              Text{tables.text()}, Text{definitions.text()}});
  return recorded.ok() ? ok_status() : Status{std::move(recorded).error()};
}

}  // namespace freshet::postgres
