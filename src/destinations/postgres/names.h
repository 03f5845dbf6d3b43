// The names of what Freshet makes. Pure.
#pragma once

#include <span>
#include <string>

#include "freshet/schema.h"

namespace freshet::postgres {

// At most 63 bytes, as PostgreSQL keeps no more of a name.

/// Of the HNSW index of a column.
std::string vector_index_name(const TableName& table, const std::string& column);

/// Of the unique index over a key that is not the primary key.
std::string key_index_name(const TableName& table, std::span<const std::string> key);

/// Of the notifications about the tables that a commit touched.
std::string notify_channel(const std::string& pipeline);

}  // namespace freshet::postgres
