#include "source/filter_probe.h"

#include <array>

#include "base/error_policy.h"
#include "base/sql_quote.h"
#include "base/try.h"
#include "pg/sqlstate.h"
#include "source/publication.h"
#include "source/sql/sql.h"
#include "source/waiting.h"

namespace freshet::source {
namespace {

constexpr int kFiltersSince = 150'000;

using FilterColumns = std::optional<std::vector<std::string>>;

bool is_about_the_connection(const Error& error) {
  return error.kind() == ErrorKind::connection || error.kind() == ErrorKind::cancelled ||
         error.kind() == ErrorKind::busy;
}

/// A failure to make the view: ours to report if the expression is to blame.
Result<FilterColumns> judge(const Error& error, const CatalogTable& table) {
  if (is_about_the_connection(error)) return error;
  const bool may_not_ask = error.sqlstate() == pg::sqlstate::kInsufficientPrivilege ||
                           error.sqlstate() == pg::sqlstate::kReadOnlyTransaction;
  if (may_not_ask) return FilterColumns{};
  return Error{ErrorKind::config,
               "`where` is no condition that the server can read: " + error.message()}
      .with("table", to_string(table.schema.name))
      .sqlstate(error.sqlstate())
      .fix(
          "write it as in a WHERE clause over this table's columns; types and functions of your "
          "own with their schema");
}

}  // namespace

Result<RolledBack> RolledBack::begin(pg::Connection& connection) {
  FRESHET_TRY(connection.execute("BEGIN"));
  return RolledBack{connection};
}

RolledBack::RolledBack(RolledBack&& other) noexcept
    : connection_(std::exchange(other.connection_, nullptr)) {}

RolledBack::~RolledBack() {
  // If this fails the connection is lost, and the transaction with it.
  if (connection_ != nullptr) [[maybe_unused]]
    const Status ended = connection_->execute("ROLLBACK");
}

std::string only(const CatalogTable& table) {
  return (table.kind == 'p' ? "" : "ONLY ") + quote_identifier(table.schema.name);
}

std::string in_parentheses(const std::string& expression) {
  return "(" + expression + "\n)";
}

Result<FilterColumns> find_filter_columns(pg::Connection& connection,
                                          const TableName& name,
                                          const std::string& where) {
  FRESHET_TRY(const CatalogTable table, load_table(connection, name));
  FRESHET_TRY(const RolledBack transaction, RolledBack::begin(connection));
  const Status made =
      connection.execute("CREATE TEMP VIEW freshet_filter_probe AS SELECT 1 AS x FROM " +
                         only(table) + " WHERE " + in_parentheses(where));
  if (!made.ok()) return judge(made.error(), table);
  const std::string oid = std::to_string(to_integer(table.schema.relation));
  const std::array<std::optional<std::string_view>, 1> parameters{oid};
  FRESHET_TRY(const pg::Rows rows, connection.query(sql::kSqlFilterColumns, parameters));
  std::vector<std::string> columns;
  for (int row = 0; row < rows.rows(); ++row) {
    if (rows.boolean(row, 1)) {
      return Error{ErrorKind::config, "`where` reads another table"}.with("table", to_string(name));
    }
    if (rows.boolean(row, 2)) return FilterColumns{};
    if (!rows.is_null(row, 0)) columns.push_back(rows.string(row, 0));
  }
  return FilterColumns{std::move(columns)};
}

// Read as the copy reads it: by the table's own name, and without partitions being named.
Status check_copy_condition(pg::Connection& connection,
                            const TableName& table,
                            std::string_view key,
                            const std::string& condition) {
  Status planned =
      connection.execute("EXPLAIN SELECT FROM " + quote_identifier(table) + " AS " +
                         quote_identifier(table.table) + " WHERE " + in_parentheses(condition));
  if (planned.ok() || is_about_the_connection(planned.error())) return planned;
  return Error{ErrorKind::config,
               "`" + std::string{key} +
                   "` is no condition that the server can use: " + planned.error().message()}
      .with("table", to_string(table))
      .sqlstate(planned.error().sqlstate())
      .fix("write it as in a WHERE clause over this table's columns");
}

Status check_conditions(pg::Connection& connection, const TableConfig& table) {
  if (!table.where.empty())
    FRESHET_TRY(check_copy_condition(connection, table.name, "where", table.where));
  if (!table.copy_where.empty())
    FRESHET_TRY(check_copy_condition(connection, table.name, "copy_where", table.copy_where));
  return {};
}

Error of_followed_table(const Error& error) {
  return error.kind() == ErrorKind::config ? with_kind(ErrorKind::schema, error) : error;
}

Result<bool> can_publish(pg::Connection& connection,
                         const CatalogTable& table,
                         const std::string& where,
                         bool publishes_via_root) {
  if (connection.server_version() < kFiltersSince) return false;
  const std::string probe = "freshet_probe_" + std::to_string(connection.backend_pid());
  const Status made = with_table_locks(connection, [&]() -> Status {
    FRESHET_TRY(const RolledBack transaction, RolledBack::begin(connection));
    return connection.execute(
        "CREATE PUBLICATION " + probe + " FOR TABLE " + only(table) + " WHERE " +
        in_parentheses(where) +
        " WITH (publish_via_partition_root = " + (publishes_via_root ? "true)" : "false)"));
  });
  if (!made.ok() && is_about_the_connection(made.error())) return made.error();
  return made.ok();
}

// As the check of a table of the same name and columns: to make a publication would lock the table
// against DDL, at each start of a session.
Result<std::optional<std::string>> published_form(pg::Connection& connection,
                                                  const CatalogTable& table,
                                                  const std::string& where) {
  if (connection.server_version() < kFiltersSince) return std::optional<std::string>{};
  const std::string probe = "pg_temp." + quote_identifier(table.schema.name.table);
  FRESHET_TRY(const RolledBack transaction, RolledBack::begin(connection));
  const Status made = connection.execute(
      "CREATE TEMP TABLE " + probe + " (LIKE " + quote_identifier(table.schema.name) +
      ", CONSTRAINT freshet_probe CHECK " + in_parentheses(where) + ")");
  if (!made.ok()) {
    if (is_about_the_connection(made.error())) return made.error();
    return std::optional<std::string>{};
  }
  FRESHET_TRY(const pg::Rows rows,
              connection.query("SELECT pg_get_expr(conbin, conrelid) FROM pg_constraint WHERE "
                               "conname = 'freshet_probe' AND conrelid = " +
                               quote_literal(probe) + "::regclass"));
  if (rows.rows() != 1 || rows.is_null(0, 0)) return std::optional<std::string>{};
  return std::optional{rows.string(0, 0)};
}

}  // namespace freshet::source
