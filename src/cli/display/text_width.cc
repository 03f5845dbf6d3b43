#include "cli/display/text_width.h"

#include <array>
#include <cstdint>

namespace freshet {
namespace {

struct CodePoint {
  char32_t value;
  std::size_t bytes;
};

CodePoint take(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  std::size_t bytes = 1;
  char32_t value = lead;
  if (lead >= 0xF0 && lead < 0xF8) {
    bytes = 4;
    value = lead & 0x07U;
  } else if (lead >= 0xE0) {
    bytes = 3;
    value = lead & 0x0FU;
  } else if (lead >= 0xC0) {
    bytes = 2;
    value = lead & 0x1FU;
  }
  if (bytes > text.size()) return {U'?', 1};
  for (std::size_t i = 1; i < bytes; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xC0U) != 0x80) return {U'?', 1};
    value = (value << 6U) | (byte & 0x3FU);
  }
  return {value, bytes};
}

struct Span {
  char32_t first;
  char32_t last;
};

// The blocks that matter in names; a full Unicode table would be out of proportion.
constexpr std::array<Span, 8> kZeroWidth{{{0x300, 0x36F},
                                          {0x483, 0x489},
                                          {0x591, 0x5BD},
                                          {0x64B, 0x65F},
                                          {0x200B, 0x200F},
                                          {0x20D0, 0x20FF},
                                          {0xFE00, 0xFE0F},
                                          {0xE0100, 0xE01EF}}};
constexpr std::array<Span, 9> kWide{{{0x1100, 0x115F},
                                     {0x2E80, 0x303E},
                                     {0x3041, 0xA4CF},
                                     {0xAC00, 0xD7A3},
                                     {0xF900, 0xFAFF},
                                     {0xFE30, 0xFE6F},
                                     {0xFF00, 0xFF60},
                                     {0x1F300, 0x1FAFF},
                                     {0x20000, 0x3FFFD}}};

template <std::size_t N>
bool contains(const std::array<Span, N>& spans, char32_t value) {
  for (const Span& span : spans) {
    if (value >= span.first && value <= span.last) return true;
  }
  return false;
}

std::size_t width_of(char32_t value) {
  if (contains(kZeroWidth, value)) return 0;
  return contains(kWide, value) ? 2 : 1;
}

bool is_control(char32_t value) {
  return value < 0x20 || (value >= 0x7F && value < 0xA0);
}

}  // namespace

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const CodePoint next = take(text);
    width += width_of(next.value);
    text.remove_prefix(next.bytes);
  }
  return width;
}

std::string fit(std::string_view text, std::size_t columns) {
  const bool is_cut = display_width(text) > columns;
  const std::size_t room = is_cut && columns > 0 ? columns - 1 : columns;
  std::string fitted;
  std::size_t width = 0;
  while (!text.empty()) {
    const CodePoint next = take(text);
    width += width_of(next.value);
    if (width > room) break;
    const bool is_malformed = next.bytes == 1 && static_cast<unsigned char>(text[0]) >= 0x80;
    if (is_control(next.value) || is_malformed) {
      fitted += '?';
    } else {
      fitted += text.substr(0, next.bytes);
    }
    text.remove_prefix(next.bytes);
  }
  if (is_cut && columns > 0) fitted += "…";
  return fitted;
}

std::string pad(std::string_view text, std::size_t columns) {
  std::string padded = fit(text, columns);
  padded.append(columns - display_width(padded), ' ');
  return padded;
}

}  // namespace freshet
