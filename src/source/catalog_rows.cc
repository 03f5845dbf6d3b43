#include "source/catalog_rows.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/try.h"
#include "pg/array_literal.h"
#include "source/sql/sql.h"

namespace freshet::source {
namespace {

using Parameter = std::optional<std::string_view>;

}  // namespace

bool is_same_column(const Column& a, const Column& b) {
  return a.name == b.name && a.type == b.type && a.typmod == b.typmod;
}

// With thousands of tables, asking is what takes time.
Result<pg::Rows> ask_about(pg::Connection& connection,
                           std::string_view sql,
                           std::span<const Oid> relations) {
  const std::string oids =
      pg::integer_array_literal(relations, [](Oid oid) { return to_integer(oid); });
  const std::array<Parameter, 1> parameters{oids};
  return connection.query(sql, parameters);
}

Result<ColumnLists> load_columns(pg::Connection& connection, std::span<const Oid> relations) {
  FRESHET_TRY(const pg::Rows rows, ask_about(connection, sql::kSqlColumns, relations));
  ColumnLists lists;
  for (int row = 0; row < rows.rows(); ++row) {
    ColumnList& list = lists[rows.oid(row, 12)];
    list.highest = static_cast<std::int16_t>(rows.integer(row, 13));
    CatalogColumn& next = list.columns.emplace_back();
    next.column = {.name = rows.string(row, 0),
                   .type = rows.oid(row, 2),
                   .typmod = static_cast<std::int32_t>(rows.integer(row, 3)),
                   .type_sql = rows.string(row, 4),
                   .attnum = static_cast<std::int16_t>(rows.integer(row, 1)),
                   .is_not_null = rows.boolean(row, 5),
                   .is_identity = rows.boolean(row, 10),
                   .primary_key_place = static_cast<std::int16_t>(rows.integer(row, 9)),
                   .is_derived = false,
                   .is_builtin_type = rows.boolean(row, 7),
                   .is_byte_comparable = rows.boolean(row, 8),
                   .missing_value = {}};
    if (!rows.is_null(row, 11)) {
      next.column.missing_value = std::make_shared<const std::string>(rows.text(row, 11));
    }
    next.is_generated = rows.boolean(row, 6);
  }
  return lists;
}

Result<std::map<Oid, Definition>> load_definitions(pg::Connection& connection,
                                                   std::span<const Oid> relations) {
  FRESHET_TRY(const pg::Rows rows, ask_about(connection, sql::kSqlDefinition, relations));
  std::map<Oid, Definition> definitions;
  for (int row = 0; row < rows.rows(); ++row)
    definitions[rows.oid(row, 1)] = {rows.string(row, 0), rows.string(row, 2)};
  return definitions;
}

Status fill_types(pg::Connection& connection,
                  std::span<const std::shared_ptr<TableSchema>> schemas) {
  std::vector<Column*> columns;
  for (const auto& schema : schemas) {
    for (Column& column : schema->columns)
      columns.push_back(&column);
  }
  const std::string types = pg::integer_array_literal(
      columns, [](const Column* column) { return to_integer(column->type); });
  const std::string typmods =
      pg::integer_array_literal(columns, [](const Column* column) { return column->typmod; });
  const std::array<Parameter, 2> parameters{types, typmods};
  FRESHET_TRY(const pg::Rows rows, connection.query(sql::kSqlFormatTypes, parameters));
  for (int row = 0; row < rows.rows(); ++row)
    columns[static_cast<std::size_t>(row)]->type_sql = rows.text(row, 0);
  return {};
}

std::vector<const Column*> match_in_order(const TableSchema& schema,
                                          const std::vector<const Column*>& known) {
  std::vector<const Column*> found;
  auto next = known.begin();
  for (const Column& column : schema.columns) {
    next = std::find_if(next, known.end(), [&](const Column* candidate) {
      return is_same_column(*candidate, column);
    });
    if (next == known.end()) return {};
    found.push_back(*next++);
  }
  return found;
}

}  // namespace freshet::source
