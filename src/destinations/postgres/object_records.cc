#include "destinations/postgres/object_records.h"

#include <array>

#include <fmt/format.h>

#include "base/sql_quote.h"
#include "base/try.h"
#include "destinations/postgres/sql.h"
#include "pg/array_literal.h"

namespace freshet::postgres {
namespace {

using Text = std::optional<std::string_view>;

Status forget_objects(pg::Connection& connection,
                      const std::string& pipeline,
                      const TableName& table) {
  FRESHET_TRY([[maybe_unused]] const pg::Rows forgotten,
              connection.query(sql::kSqlForgetObjects,
                               std::array{Text{pipeline}, Text{table.schema}, Text{table.table}}));
  return ok_status();
}

Status drop_constraint(pg::Connection& connection,
                       const TableName& table,
                       const std::string& name) {
  return connection.execute(fmt::format("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}",
                                        quote_identifier(table), quote_identifier(name)));
}

}  // namespace

Status record_objects(pg::Connection& connection,
                      const std::string& pipeline,
                      const TableName& table,
                      std::span<const TableObject> objects) {
  FRESHET_TRY(forget_objects(connection, pipeline, table));
  pg::ArrayLiteral kinds;
  pg::ArrayLiteral names;
  pg::ArrayLiteral definitions;
  std::vector<TableName> others;
  for (const TableObject& object : objects) {
    kinds.add(to_string(object.kind));
    names.add(object.name);
    definitions.add(object.definition);
    others.push_back(object.other);
  }
  const pg::TableNameArrays other = pg::array_literals(others);
  const std::array lists{kinds.text(), names.text(), definitions.text()};
  FRESHET_TRY([[maybe_unused]] const pg::Rows recorded,
              connection.query(sql::kSqlRecordObjects,
                               std::array{Text{pipeline}, Text{table.schema}, Text{table.table},
                                          Text{lists[0]}, Text{lists[1]}, Text{lists[2]},
                                          Text{other.schemas}, Text{other.tables}}));
  return ok_status();
}

Status release_foreign_keys(pg::Connection& connection,
                            const std::string& pipeline,
                            const TableName& table) {
  FRESHET_TRY(const pg::Rows released,
              connection.query(sql::kSqlReleaseForeignKeys,
                               std::array{Text{pipeline}, Text{table.schema}, Text{table.table}}));
  for (int row = 0; row < released.rows(); ++row) {
    const TableName child{released.string(row, 0), released.string(row, 1)};
    FRESHET_TRY(drop_constraint(connection, child, released.string(row, 2)));
  }
  return ok_status();
}

Status drop_objects(pg::Connection& connection,
                    const std::string& pipeline,
                    const TableName& table) {
  FRESHET_TRY(const pg::Rows made,
              connection.query(sql::kSqlMadeObjects,
                               std::array{Text{pipeline}, Text{table.schema}, Text{table.table}}));
  for (int row = 0; row < made.rows(); ++row) {
    const std::string name = made.string(row, 1);
    if (made.text(row, 0) == to_string(ObjectKind::constraint)) {
      FRESHET_TRY(drop_constraint(connection, table, name));
    } else {
      FRESHET_TRY(connection.execute("DROP INDEX IF EXISTS " +
                                     quote_identifier(TableName{table.schema, name})));
    }
  }
  return forget_objects(connection, pipeline, table);
}

Status retry_objects(pg::Connection& connection, const std::string& pipeline) {
  FRESHET_TRY([[maybe_unused]] const pg::Rows retried,
              connection.query(sql::kSqlRetryObjects, std::array{Text{pipeline}}));
  return ok_status();
}

Result<std::vector<TableName>> find_tables_to_complete(pg::Connection& connection,
                                                       const std::string& pipeline) {
  FRESHET_TRY(const pg::Rows rows,
              connection.query(sql::kSqlTablesToComplete, std::array{Text{pipeline}}));
  std::vector<TableName> tables;
  for (int row = 0; row < rows.rows(); ++row)
    tables.push_back({rows.string(row, 0), rows.string(row, 1)});
  return tables;
}

}  // namespace freshet::postgres
