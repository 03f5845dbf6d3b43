// Indexes of the destination that are built while rows come in.
#pragma once

#include <string>

#include "freshet/result.h"
#include "freshet/schema.h"
#include "freshet/table_object.h"
#include "pg/connection.h"

namespace freshet::postgres {

/// Another try may help; so with what was broken off to make room.
bool is_worth_retrying(const Error& error) noexcept;

/// The vector index of a column, without its definition.
TableObject vector_index_of(const TableName& table, const std::string& column);

/// What stands under an object's name: `free`, `here`, `unfinished` (an index that cannot be used),
/// or `taken` by something else. Fails with `schema` where the table is missing.
Result<std::string> find_here(pg::Connection& connection,
                              const TableName& table,
                              const TableObject& object);

/// For the index of a name that is `taken`.
Error name_is_taken();

/// Makes the index whole, whatever of it is left from an earlier try; `here` is what find_here()
/// said, and not `taken`. Not in a transaction; waits for those that are open. What fails for good
/// leaves nothing behind.
Status build_concurrently(pg::Connection& connection,
                          const TableName& table,
                          const TableObject& index,
                          std::string here);

}  // namespace freshet::postgres
