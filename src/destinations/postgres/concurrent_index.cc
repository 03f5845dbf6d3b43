#include "destinations/postgres/concurrent_index.h"

#include <array>
#include <optional>
#include <span>
#include <string_view>

#include <fmt/format.h>

#include "base/error_policy.h"
#include "base/sql_quote.h"
#include "base/try.h"
#include "destinations/postgres/names.h"
#include "destinations/postgres/sql.h"

namespace freshet::postgres {
namespace {

using Text = std::optional<std::string_view>;

// One that a killed process left running at the server may yet finish it.
Status wait_for_other_builders(pg::Connection& connection, const TableName& table) {
  return connection.execute(fmt::format(
      "BEGIN; LOCK TABLE {} IN SHARE UPDATE EXCLUSIVE MODE; COMMIT", quote_identifier(table)));
}

Status drop_index(pg::Connection& connection, const TableName& table, const std::string& name) {
  return connection.execute("DROP INDEX CONCURRENTLY IF EXISTS " +
                            quote_identifier(TableName{table.schema, name}));
}

}  // namespace

bool is_worth_retrying(const Error& error) noexcept {
  return retry_of(error) != Retry::never || error.kind() == ErrorKind::cancelled;
}

TableObject vector_index_of(const TableName& table, const std::string& column) {
  return {.kind = ObjectKind::index,
          .name = vector_index_name(table, column),
          .definition = {},
          .other = {},
          .judged = {}};
}

Result<std::string> find_here(pg::Connection& connection,
                              const TableName& table,
                              const TableObject& object) {
  FRESHET_TRY(const pg::Rows rows,
              connection.query(sql::kSqlObjectHere,
                               std::array{Text{table.schema}, Text{table.table},
                                          Text{to_string(object.kind)}, Text{object.name}}));
  if (rows.rows() == 0) return Error{ErrorKind::schema, "the table is missing at the destination"};
  return rows.string(0, 0);
}

Error name_is_taken() {
  return Error{ErrorKind::schema, "another relation of the destination has the name"};
}

Status build_concurrently(pg::Connection& connection,
                          const TableName& table,
                          const TableObject& index,
                          std::string here) {
  if (here == "unfinished") {
    FRESHET_TRY(wait_for_other_builders(connection, table));
    FRESHET_TRY(here, find_here(connection, table, index));
    if (here == "unfinished") FRESHET_TRY(drop_index(connection, table, index.name));
  }
  if (here == "here") return ok_status();
  // A query, not a script: one statement, whatever the text that came from the source holds.
  const auto created = connection.query(
      fmt::format("CREATE {}INDEX CONCURRENTLY {} ON {} {}",
                  index.kind == ObjectKind::unique_index ? "UNIQUE " : "",
                  quote_identifier(index.name), quote_identifier(table), index.definition),
      std::span<const Text>{});
  if (created.ok()) return ok_status();
  if (is_worth_retrying(created.error())) return created.error();
  // Somebody else may have come first with one that is whole.
  FRESHET_TRY(here, find_here(connection, table, index));
  if (here == "here") return ok_status();
  if (here == "taken") return name_is_taken();
  // What is left of it would be kept up, and may refuse rows.
  if (here == "unfinished") FRESHET_TRY(drop_index(connection, table, index.name));
  return created.error();
}

}  // namespace freshet::postgres
