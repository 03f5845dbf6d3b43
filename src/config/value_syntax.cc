#include "config/value_syntax.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <utility>

namespace freshet {
namespace {

constexpr std::size_t kIdentifierBytesMax = 63;

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

std::string to_lower(std::string_view text) {
  std::string lower{text};
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return lower;
}

template <std::size_t N>
std::optional<std::uint64_t> parse_with_unit(std::string_view text,
                                             const std::array<Unit, N>& units) {
  const std::size_t digits = text.find_first_not_of("0123456789_");
  const std::optional<std::uint64_t> number = parse_number(text.substr(0, digits));
  if (!number) return std::nullopt;
  std::string_view unit = digits == std::string_view::npos ? "" : text.substr(digits);
  while (unit.starts_with(' '))
    unit.remove_prefix(1);
  const std::string lower = to_lower(unit);
  for (const Unit& known : units) {
    if (lower != known.name) continue;
    if (*number > std::numeric_limits<std::uint64_t>::max() / known.factor) return std::nullopt;
    return *number * known.factor;
  }
  return std::nullopt;
}

/// Takes one part of a name off `rest`.
std::optional<std::string> take_part(std::string_view& rest) {
  std::string part;
  if (!rest.starts_with('"')) {
    const std::size_t dot = std::min(rest.find('.'), rest.size());
    part = rest.substr(0, dot);
    rest.remove_prefix(dot);
    if (part.find_first_of("\" \t\n") != std::string::npos) return std::nullopt;
    return part;
  }
  rest.remove_prefix(1);
  while (!rest.empty()) {
    if (rest.starts_with("\"\"")) {
      part += '"';
      rest.remove_prefix(2);
    } else if (rest.starts_with('"')) {
      rest.remove_prefix(1);
      return part;
    } else {
      part += rest.front();
      rest.remove_prefix(1);
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<bool> parse_boolean(std::string_view text) {
  const std::string lower = to_lower(text);
  if (lower == "true" || lower == "yes" || lower == "on") return true;
  if (lower == "false" || lower == "no" || lower == "off") return false;
  return std::nullopt;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  if (text.empty() || text.front() == '_' || text.back() == '_') return std::nullopt;
  std::uint64_t number = 0;
  for (const char c : text) {
    if (c == '_') continue;
    if (c < '0' || c > '9') return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (number > (std::numeric_limits<std::uint64_t>::max() - digit) / 10) return std::nullopt;
    number = number * 10 + digit;
  }
  return number;
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  constexpr std::array<Unit, 8> kUnits{{{"", 1},
                                        {"b", 1},
                                        {"kib", 1U << 10},
                                        {"kb", 1U << 10},
                                        {"mib", 1U << 20},
                                        {"mb", 1U << 20},
                                        {"gib", 1U << 30},
                                        {"gb", 1U << 30}}};
  return parse_with_unit(text, kUnits);
}

std::optional<std::uint64_t> parse_duration_ms(std::string_view text) {
  constexpr std::array<Unit, 3> kUnits{{{"ms", 1}, {"s", 1000}, {"min", 60'000}}};
  return parse_with_unit(text, kUnits);
}

std::optional<TableName> parse_table_name(std::string_view text) {
  std::optional<std::string> first = take_part(text);
  if (!first) return std::nullopt;
  TableName name{"public", *first};
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    std::optional<std::string> second = take_part(text);
    if (!second) return std::nullopt;
    name = TableName{std::move(*first), std::move(*second)};
  }
  const auto is_valid = [](const std::string& part) {
    return !part.empty() && part.size() <= kIdentifierBytesMax;
  };
  if (!text.empty() || !is_valid(name.schema) || !is_valid(name.table)) return std::nullopt;
  return name;
}

bool is_plain_name(std::string_view text, std::size_t most) {
  return !text.empty() && text.size() <= most && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

}  // namespace freshet
