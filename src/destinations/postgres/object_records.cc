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

Status alter_column(pg::Connection& connection,
                    const TableName& table,
                    const std::string& column,
                    std::string_view action) {
  return connection.execute(fmt::format("ALTER TABLE {} ALTER COLUMN {} {}",
                                        quote_identifier(table), quote_identifier(column), action));
}

std::vector<TableName> read_names(const pg::Rows& rows) {
  std::vector<TableName> tables;
  for (int row = 0; row < rows.rows(); ++row)
    tables.push_back({rows.string(row, 0), rows.string(row, 1)});
  return tables;
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

Result<std::size_t> release_foreign_keys(pg::Connection& connection,
                                         const std::string& pipeline,
                                         std::span<const TableName> tables,
                                         Release release) {
  const pg::TableNameArrays names = pg::array_literals(tables);
  // In a statement of its own: only the next one sees what its commit left.
  FRESHET_TRY(
      [[maybe_unused]] const pg::Rows locked,
      connection.query(sql::kSqlLockForeignKeys,
                       std::array{Text{pipeline}, Text{names.schemas}, Text{names.tables}}));
  FRESHET_TRY(const pg::Rows released,
              connection.query(sql::kSqlReleaseForeignKeys,
                               std::array{Text{pipeline}, Text{names.schemas}, Text{names.tables},
                                          Text{release == Release::all ? "false" : "true"}}));
  for (int row = 0; row < released.rows(); ++row) {
    const TableName child{released.string(row, 0), released.string(row, 1)};
    FRESHET_TRY(drop_constraint(connection, child, released.string(row, 2)));
  }
  return static_cast<std::size_t>(released.rows());
}

Status drop_objects(pg::Connection& connection,
                    const std::string& pipeline,
                    const TableName& table) {
  FRESHET_TRY(const pg::Rows made,
              connection.query(sql::kSqlMadeObjects,
                               std::array{Text{pipeline}, Text{table.schema}, Text{table.table}}));
  for (int row = 0; row < made.rows(); ++row) {
    const std::string name = made.string(row, 1);
    const std::string_view kind = made.text(row, 0);
    if (kind == to_string(ObjectKind::constraint)) {
      FRESHET_TRY(drop_constraint(connection, table, name));
    } else if (kind == to_string(ObjectKind::identity)) {
      FRESHET_TRY(alter_column(connection, table, name, "DROP IDENTITY IF EXISTS"));
    } else if (kind == to_string(ObjectKind::column_default)) {
      FRESHET_TRY(alter_column(connection, table, name, "DROP DEFAULT"));
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
  return read_names(rows);
}

Result<std::vector<TableName>> find_referring_tables(pg::Connection& connection,
                                                     const std::string& pipeline,
                                                     const TableName& table) {
  FRESHET_TRY(const pg::Rows rows,
              connection.query(sql::kSqlReferringTables,
                               std::array{Text{pipeline}, Text{table.schema}, Text{table.table}}));
  return read_names(rows);
}

Result<std::vector<TableName>> find_linked_tables(pg::Connection& connection,
                                                  const std::string& pipeline,
                                                  std::span<const TableName> tables) {
  const pg::TableNameArrays names = pg::array_literals(tables);
  FRESHET_TRY(const pg::Rows rows, connection.query(sql::kSqlLinkedTables,
                                                    std::array{Text{pipeline}, Text{names.schemas},
                                                               Text{names.tables}}));
  return read_names(rows);
}

}  // namespace freshet::postgres
