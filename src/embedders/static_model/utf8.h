// Reads UTF-8 one character at a time, without trusting it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace freshet::utf8 {

struct Character {
  std::uint32_t code_point = 0;
  std::uint8_t size = 1;  ///< Bytes; 1 for a byte that is not part of a valid sequence.
  bool is_valid = false;
};

/// The character at the front of `text`, which must not be empty. Overlong forms, surrogates and
/// values past U+10FFFF are not valid.
inline Character first_character(std::string_view text) noexcept {
  const auto byte = [&](std::size_t at) -> std::uint32_t {
    return static_cast<unsigned char>(text[at]);
  };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) return {.code_point = lead, .size = 1, .is_valid = true};
  const std::uint8_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < size) return {};
  std::uint32_t code_point = lead & (0x7FU >> size);
  for (std::size_t at = 1; at < size; ++at) {
    if ((byte(at) & 0xC0) != 0x80) return {};
    code_point = (code_point << 6) | (byte(at) & 0x3F);
  }
  const bool is_overlong = (size == 3 && code_point < 0x800) || (size == 4 && code_point < 0x10000);
  const bool is_surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
  if (is_overlong || is_surrogate || code_point > 0x10FFFF) return {};
  return {.code_point = code_point, .size = size, .is_valid = true};
}

}  // namespace freshet::utf8
