// pgvector: its type's text form, and where it lives.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "pg/connection.h"

namespace freshet::postgres {

/// HNSW indexes take no more.
constexpr std::uint32_t kIndexDimensionsMax = 2000;

/// The dimensions of `vector(256)` or `schema.vector(256)`; nothing for other types.
std::optional<std::uint32_t> vector_dimensions(std::string_view type_sql);

/// The quoted schema that holds pgvector; nothing if the extension is not created here.
Result<std::optional<std::string>> find_vector_schema(pg::Connection& connection);

/// As above, creating the extension where it is missing. Fails with `setting` and what mends it.
Result<std::string> ensure_vector_extension(pg::Connection& connection);

}  // namespace freshet::postgres
