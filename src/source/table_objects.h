// What the source's catalogue says of indexes, constraints, defaults and sequences.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "freshet/result.h"
#include "freshet/table_object.h"
#include "pg/connection.h"

namespace freshet::source {

/// Of each table, in the order in which they can be made.
Result<std::map<Oid, std::vector<TableObject>>> load_objects(pg::Connection& connection,
                                                             std::span<const Oid> relations);

}  // namespace freshet::source
