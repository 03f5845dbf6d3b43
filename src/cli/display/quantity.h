// Numbers as people read them.
#pragma once

#include <cstdint>
#include <string>

namespace freshet {

std::string format_count(double count);      ///< `950`, `12.3k`, `4.56M`
std::string format_bytes(double bytes);      ///< `950 B`, `12.3 MiB`
std::string format_milliseconds(double ms);  ///< `0.8 ms`, `42 ms`, `3.1 s`, `12 min`
std::string format_clock(double seconds);    ///< `00:42`, `1:02:03`

}  // namespace freshet
