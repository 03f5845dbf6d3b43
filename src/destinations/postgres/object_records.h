// freshet.table_objects: which indexes, constraints, defaults and sequences a table is to get here.
#pragma once

#include <cstdint>
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

enum class Release : std::uint8_t {
  all,             ///< From and to the tables.
  from_elsewhere,  ///< To them from other tables: what refuses a TRUNCATE of just these.
};

/// Drops foreign keys of ours; they are wanted again. How many they were.
Result<std::size_t> release_foreign_keys(pg::Connection& connection,
                                         const std::string& pipeline,
                                         std::span<const TableName> tables,
                                         Release release = Release::all);

/// Drops what we made for the table of indexes, constraints, defaults and identity columns, and
/// forgets all that is recorded.
Status drop_objects(pg::Connection& connection,
                    const std::string& pipeline,
                    const TableName& table);

/// Has what failed tried again.
Status retry_objects(pg::Connection& connection, const std::string& pipeline);

/// Tables of which something is wanted that may stand by now.
Result<std::vector<TableName>> find_tables_to_complete(pg::Connection& connection,
                                                       const std::string& pipeline);

/// Tables whose foreign keys to that one are wanted and may stand by now.
Result<std::vector<TableName>> find_referring_tables(pg::Connection& connection,
                                                     const std::string& pipeline,
                                                     const TableName& table);

/// The other ends of the foreign keys from and to the tables.
Result<std::vector<TableName>> find_linked_tables(pg::Connection& connection,
                                                  const std::string& pipeline,
                                                  std::span<const TableName> tables);

}  // namespace freshet::postgres
