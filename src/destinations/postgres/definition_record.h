// What the table here was last made for, kept in the transaction that made it. The state store
// learns of it afterwards: who is killed in between repeats the change, and must not exchange two
// columns' names twice or empty a column that was made already.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "freshet/schema.h"
#include "pg/connection.h"

namespace freshet::postgres {

/// Of the columns: number, name, type, places in keys. Nothing if none was kept.
Result<std::optional<TableSchema>> load_definition(pg::Connection& connection,
                                                   const std::string& pipeline,
                                                   const TableName& table);
Status record_definitions(pg::Connection& connection,
                          const std::string& pipeline,
                          std::span<const SchemaPtr> schemas);

}  // namespace freshet::postgres
