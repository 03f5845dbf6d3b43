// The names of an enum's values: one table that is read both ways.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>

namespace freshet {

template <typename Enum, std::size_t kCount>
using EnumNames = std::array<std::pair<Enum, std::string_view>, kCount>;

/// `otherwise` if the table lacks the value.
template <typename Enum, std::size_t kCount>
constexpr std::string_view find_name(const EnumNames<Enum, kCount>& names,
                                     Enum value,
                                     std::string_view otherwise = {}) noexcept {
  for (const auto& [known, name] : names) {
    if (known == value) return name;
  }
  return otherwise;
}

/// Nothing if no value has exactly that name.
template <typename Enum, std::size_t kCount>
constexpr std::optional<Enum> find_value(const EnumNames<Enum, kCount>& names,
                                         std::string_view text) noexcept {
  for (const auto& [known, name] : names) {
    if (name == text) return known;
  }
  return {};
}

}  // namespace freshet
