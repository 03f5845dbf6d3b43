// A table's primary key, as its columns tell it.
#pragma once

#include <vector>

#include "freshet/schema.h"

namespace freshet {

/// The columns of the primary key that the schema has, in the key's order. Under a column list they
/// need not be all. Views into `schema`.
std::vector<const Column*> primary_key_columns(const TableSchema& schema);

}  // namespace freshet
