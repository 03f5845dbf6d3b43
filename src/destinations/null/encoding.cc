#include "destinations/null/encoding.h"

namespace freshet {
namespace {

// The escapes that COPY TO writes; it escapes no other byte.
char unescaped(char c) {
  switch (c) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'v':
      return '\v';
    default:
      return c;
  }
}

std::string_view field_value(std::string_view field, std::string& scratch) {
  if (field == "\\N") return kNullMark;
  std::size_t escape = field.find('\\');
  if (escape == std::string_view::npos) return field;
  scratch.clear();
  while (escape != std::string_view::npos && escape + 1 < field.size()) {
    scratch.append(field.data(), escape);
    scratch += unescaped(field[escape + 1]);
    field.remove_prefix(escape + 2);
    escape = field.find('\\');
  }
  scratch.append(field);
  return scratch;
}

}  // namespace

std::uint64_t copy_line_hash(std::string_view line, std::string& scratch) {
  std::uint64_t hash = 0;
  while (true) {
    const std::size_t tab = line.find('\t');
    hash = xxh64(field_value(line.substr(0, tab), scratch), hash);
    if (tab == std::string_view::npos) return hash;
    line.remove_prefix(tab + 1);
  }
}

}  // namespace freshet
