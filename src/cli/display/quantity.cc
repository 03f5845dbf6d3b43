#include "cli/display/quantity.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

namespace freshet {
namespace {

// Three digits carry what a glance can take in.
std::string three_digits(double value) {
  if (value < 9.995) return fmt::format("{:.2f}", value);
  return value < 99.95 ? fmt::format("{:.1f}", value) : fmt::format("{:.0f}", value);
}

}  // namespace

std::string format_count(double count) {
  static constexpr std::array<std::string_view, 5> kUnits{"", "k", "M", "G", "T"};
  std::size_t unit = 0;
  while (count >= 999.5 && unit + 1 < kUnits.size()) {
    count /= 1000;
    ++unit;
  }
  return unit == 0 ? fmt::format("{:.0f}", count) : three_digits(count) + std::string{kUnits[unit]};
}

std::string format_bytes(double bytes) {
  static constexpr std::array<std::string_view, 5> kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (bytes >= 999.5 && unit + 1 < kUnits.size()) {
    bytes /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{:.0f} B", bytes)
                   : fmt::format("{} {}", three_digits(bytes), kUnits[unit]);
}

std::string format_milliseconds(double ms) {
  if (ms < 10) return fmt::format("{:.1f} ms", std::max(ms, 0.0));
  if (ms < 1000) return fmt::format("{:.0f} ms", ms);
  if (ms < 120'000) return fmt::format("{:.1f} s", ms / 1000);
  return fmt::format("{:.0f} min", ms / 60'000);
}

std::string format_clock(double seconds) {
  const auto total = static_cast<std::int64_t>(std::clamp(seconds, 0.0, 359'999.0));
  if (total < 3600) return fmt::format("{:02}:{:02}", total / 60, total % 60);
  return fmt::format("{}:{:02}:{:02}", total / 3600, total / 60 % 60, total % 60);
}

}  // namespace freshet
