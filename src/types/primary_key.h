// A table's primary key and replica identity, as its columns tell them.
#pragma once

#include <cstdint>
#include <vector>

#include "freshet/schema.h"

namespace freshet {

/// The columns of the primary key that the schema has, in the key's order. Under a column list they
/// need not be all. Views into `schema`.
std::vector<const Column*> primary_key_columns(const TableSchema& schema);

/// Where the columns of the replica identity are, ascending. All under FULL.
std::vector<std::uint16_t> identity_columns(const TableSchema& schema);

}  // namespace freshet
