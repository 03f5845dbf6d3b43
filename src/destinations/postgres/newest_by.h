// The column by which `on_conflict: newest_wins` tells the newer of two rows.
#pragma once

#include <string>

#include "freshet/result.h"
#include "freshet/schema.h"

namespace freshet::postgres {

/// The column's place; fails with `schema` where the table has none of that name.
Result<std::size_t> find_newest_by(const TableSchema& schema, const std::string& newest_by);

}  // namespace freshet::postgres
