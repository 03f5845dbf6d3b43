#include "config/text_check.h"

#include <cstddef>

#include <fmt/format.h>

namespace freshet {
namespace {

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

/// Length of the UTF-8 sequence at `at`; 0 if it is malformed, overlong, a surrogate or past
/// U+10FFFF.
std::size_t sequence_length(std::string_view bytes, std::size_t at) {
  const auto lead = static_cast<unsigned char>(bytes[at]);
  if (lead < 0x80) return 1;
  std::size_t length = 0;
  if (lead >= 0xC2 && lead <= 0xDF) length = 2;
  if (lead >= 0xE0 && lead <= 0xEF) length = 3;
  if (lead >= 0xF0 && lead <= 0xF4) length = 4;
  if (length == 0 || at + length > bytes.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if (!is_continuation(bytes[at + i])) return 0;
  }
  const auto second = static_cast<unsigned char>(bytes[at + 1]);
  if (lead == 0xE0 && second < 0xA0) return 0;
  if (lead == 0xED && second > 0x9F) return 0;
  if (lead == 0xF0 && second < 0x90) return 0;
  if (lead == 0xF4 && second > 0x8F) return 0;
  return length;
}

}  // namespace

bool check_text(std::string_view bytes, Problems& problems) {
  Mark mark{1, 1};
  for (std::size_t at = 0; at < bytes.size();) {
    const char c = bytes[at];
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n' && c != '\r' && c != '\t') || byte == 0x7f) {
      problems.error(mark, "",
                     fmt::format("not a text file: it has the control byte 0x{:02x}", byte),
                     "give a YAML file");
      return false;
    }
    const std::size_t length = sequence_length(bytes, at);
    if (length == 0) {
      problems.error(mark, "", fmt::format("not UTF-8: byte 0x{:02x} is out of place", byte),
                     "save the file as UTF-8");
      return false;
    }
    at += length;
    mark = c == '\n' ? Mark{mark.line + 1, 1} : Mark{mark.line, mark.column + 1};
  }
  return true;
}

}  // namespace freshet
