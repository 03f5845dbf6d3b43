// How much room text takes on a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace freshet {

/// Columns that UTF-8 text takes: two for wide East Asian characters and emoji, none for combining
/// marks, one for anything malformed.
std::size_t display_width(std::string_view text);

/// At most `columns` wide, with `…` in place of what was cut off. Control characters become `?`.
std::string fit(std::string_view text, std::size_t columns);

/// The same, filled up with blanks.
std::string pad(std::string_view text, std::size_t columns);

}  // namespace freshet
