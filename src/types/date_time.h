// Dates and times as the numbers that PostgreSQL keeps and sends of them in binary form.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace freshet {

/// Days from 2000-01-01 to what is printed of a date under DateStyle ISO. The infinities are the
/// greatest and the least 32-bit integer. Nothing if the text is no date.
std::optional<std::int64_t> parse_date(std::string_view text);
/// The reverse; `days` must come from parse_date() or the server.
std::string date_text(std::int64_t days);

/// Microseconds from 2000-01-01 00:00 to what is printed of a timestamp under DateStyle ISO: in UTC
/// if an offset follows, as it does where the type has a time zone. The infinities are the greatest
/// and the least 64-bit integer. Nothing if the text is no timestamp.
std::optional<std::int64_t> parse_timestamp(std::string_view text);
/// The reverse, with the offset "+00" if asked for.
std::string timestamp_text(std::int64_t microseconds, bool has_offset);

}  // namespace freshet
