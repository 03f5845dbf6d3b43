// Asks the server how it understands a `where`. Nothing it makes is committed.
#pragma once

#include <optional>
#include <string>

#include "freshet/config.h"
#include "freshet/result.h"
#include "pg/connection.h"
#include "source/catalog.h"

namespace freshet::source {

/// Ends a transaction that was begun only to be rolled back.
class RolledBack {
 public:
  static Result<RolledBack> begin(pg::Connection& connection);
  RolledBack(RolledBack&& other) noexcept;
  RolledBack& operator=(RolledBack&&) = delete;
  ~RolledBack();

 private:
  explicit RolledBack(pg::Connection& connection) : connection_(&connection) {}

  pg::Connection* connection_;
};

/// Whether a publication of `table` that our role makes can hold the expression.
Result<bool> can_publish(pg::Connection& connection,
                         const CatalogTable& table,
                         const std::string& where,
                         bool publishes_via_root);

/// The expression as a publication of `table` keeps it, in the server's spelling; nothing where
/// that cannot be known.
Result<std::optional<std::string>> published_form(pg::Connection& connection,
                                                  const CatalogTable& table,
                                                  const std::string& where);

/// Fails with `config` if a copy of the table could not be limited to rows that meet the condition,
/// which the configuration has under `key`: where the server cannot plan it. What raises for some
/// row alone is found by the copy.
Status check_copy_condition(pg::Connection& connection,
                            const TableName& table,
                            std::string_view key,
                            const std::string& condition);
/// The same of both that the table's configuration may have.
Status check_conditions(pg::Connection& connection, const TableConfig& table);

/// `config` as `schema`: the condition of a table that is followed names, perhaps, a column that
/// was renamed since. The other tables are not concerned. Other errors stay as they are.
Error of_followed_table(const Error& error);

/// `ONLY "s"."t"`, without ONLY for a partitioned table.
std::string only(const CatalogTable& table);
/// `(expression)`, safe against a comment at its end.
std::string in_parentheses(const std::string& expression);

}  // namespace freshet::source
