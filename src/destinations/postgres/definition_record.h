// What the tables here were last made for, kept in the transaction that made them: of all that
// Freshet knows about a table, only this is exact as of the destination's position. The state store
// learns of a change before or after; who is killed in between must not exchange two columns' names
// twice, empty a column that was made already, or read older rows by a newer definition.
#pragma once

#include <map>
#include <span>
#include <string>

#include "freshet/schema.h"
#include "pg/connection.h"

namespace freshet::postgres {

/// Those of all the pipeline's tables.
Result<std::map<TableName, SchemaPtr>> load_definitions(pg::Connection& connection,
                                                        const std::string& pipeline);
/// Null if none was kept.
Result<SchemaPtr> load_definition(pg::Connection& connection,
                                  const std::string& pipeline,
                                  const TableName& table);
Status record_definitions(pg::Connection& connection,
                          const std::string& pipeline,
                          std::span<const SchemaPtr> schemas);

}  // namespace freshet::postgres
