// How single values are written: numbers, sizes, durations, table names.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "freshet/schema.h"

namespace freshet {

/// `true` or `false` (also yes/no, on/off).
std::optional<bool> parse_boolean(std::string_view text);
/// Decimal digits, with `_` between them allowed; nothing for a sign, a fraction or an overflow.
std::optional<std::uint64_t> parse_number(std::string_view text);
/// A number of bytes with an optional unit: B, KiB, MiB, GiB (or KB, MB, GB, the same as
/// PostgreSQL's).
std::optional<std::uint64_t> parse_size(std::string_view text);
/// A number with the unit ms, s or min.
std::optional<std::uint64_t> parse_duration_ms(std::string_view text);
/// `table`, `schema.table`, either part in double quotes. Unquoted parts are taken as they stand,
/// not folded to lower case. Names of more than 63 bytes cannot exist.
std::optional<TableName> parse_table_name(std::string_view text);
/// [a-z0-9_]{1,most}.
bool is_plain_name(std::string_view text, std::size_t most);

}  // namespace freshet
