// Follows a table's DDL. The catalogue is asked before each step, so that a replay changes nothing.
#pragma once

#include <string>
#include <vector>

#include "freshet/schema.h"
#include "pg/connection.h"

namespace freshet::postgres {

/// Makes the table of `from` look like `to`, in the caller's transaction. A change of type that
/// would alter values fails with `schema` and context `reason=type_change`: the table must be
/// copied again. `from` is what the table was made for last (definition_record.h): from anything
/// older, an exchange of two columns' names would be made twice.
Status evolve_table(pg::Connection& connection, const TableSchema& from, const TableSchema& to);

/// True if a column or key of `from` is no more, which a foreign key may need.
bool loses_columns(const TableSchema& from, const TableSchema& to);

/// The names in `from` that mean nothing or another column in `to`.
std::vector<std::string> lost_names(const TableSchema& from, const TableSchema& to);

}  // namespace freshet::postgres
