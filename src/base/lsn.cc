#include "freshet/lsn.h"

#include <charconv>

#include <fmt/format.h>

namespace freshet {

std::string to_string(Lsn lsn) {
  return fmt::format("{:X}/{:X}", to_integer(lsn) >> 32U, to_integer(lsn) & 0xFFFFFFFFU);
}

namespace {

std::optional<std::uint32_t> parse_half(std::string_view text) noexcept {
  std::uint32_t half = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), half, 16);
  if (failure != std::errc{} || end != text.data() + text.size() || text.empty()) return {};
  return half;
}

}  // namespace

std::optional<Lsn> parse_lsn(std::string_view text) noexcept {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return {};
  const auto high = parse_half(text.substr(0, slash));
  const auto low = parse_half(text.substr(slash + 1));
  if (!high || !low) return {};
  return Lsn{(std::uint64_t{*high} << 32U) | *low};
}

}  // namespace freshet
