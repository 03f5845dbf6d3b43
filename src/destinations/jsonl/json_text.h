// Appends JSON text to a string, without allocating once the string has its capacity.
#pragma once

#include <string>
#include <string_view>

#include "freshet/lsn.h"

namespace freshet {

/// Appends `text` as a JSON string. False, with `out` as it was, if `text` is not UTF-8.
[[nodiscard]] bool append_json_string(std::string& out, std::string_view text);

/// Appends `"16/B374D848"`, or `null` for kNoLsn.
void append_json_lsn(std::string& out, Lsn lsn);

/// Appends `"2026-11-21T23:01:21.123456Z"`.
void append_json_time(std::string& out, SourceTime time);

void append_decimal(std::string& out, std::uint64_t number);

}  // namespace freshet
