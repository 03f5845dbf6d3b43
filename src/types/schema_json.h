// What a table looks like, as JSON: for who must know it exactly after a restart.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "freshet/schema.h"

namespace freshet {

/// Bytes that are no UTF-8 come back as they were in missing values only: such a name cannot be
/// kept in JSON, and differs from the source's afterwards.
std::string to_json(const std::vector<Column>& columns);
/// All but the table's name.
std::string to_json(const TableSchema& schema);

/// Nothing if that is not what to_json() wrote.
std::optional<std::vector<Column>> parse_columns(std::string_view json);
std::optional<TableSchema> parse_schema(const TableName& name, std::string_view json);

}  // namespace freshet
