// Table names as a parameter of the .sql files.
#pragma once

#include <span>
#include <string>

#include "freshet/schema.h"

namespace freshet::ops {

/// `[{"schema": …, "name": …}, …]`
std::string to_json(std::span<const TableName> names);

}  // namespace freshet::ops
