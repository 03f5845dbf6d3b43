// freshet.table_objects: which indexes, constraints, defaults and sequences a table is to get here.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "freshet/result.h"
#include "freshet/table_object.h"
#include "pg/connection.h"

namespace freshet::postgres {

/// Replaces what is recorded of the table. In the caller's transaction, as are the next two.
Status record_objects(pg::Connection& connection,
                      const std::string& pipeline,
                      const TableName& table,
                      std::span<const TableObject> objects);

/// Drops the foreign keys of ours from and to the table; they are wanted again.
Status release_foreign_keys(pg::Connection& connection,
                            const std::string& pipeline,
                            const TableName& table);

/// Drops the indexes and constraints that we made for the table, and forgets all that is recorded.
Status drop_objects(pg::Connection& connection,
                    const std::string& pipeline,
                    const TableName& table);

/// Has what failed tried again.
Status retry_objects(pg::Connection& connection, const std::string& pipeline);

/// Tables of which something is wanted that may stand by now.
Result<std::vector<TableName>> find_tables_to_complete(pg::Connection& connection,
                                                       const std::string& pipeline);

}  // namespace freshet::postgres
