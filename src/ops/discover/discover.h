// Finds the tables of a source where none were named.
#pragma once

#include <string>
#include <vector>

#include "freshet/config.h"
#include "freshet/result.h"

namespace freshet::ops {

/// All tables that the role of `url` may read and that can be replicated, by name. An error of kind
/// `setting` if there are none.
Result<std::vector<TableConfig>> discover_tables(const std::string& url);

}  // namespace freshet::ops
