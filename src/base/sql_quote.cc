#include "base/sql_quote.h"

namespace freshet {
namespace {

std::string wrap(std::string_view text, char quote, bool doubles_backslash) {
  std::string quoted;
  quoted.reserve(text.size() + 3);
  quoted += quote;
  for (const char c : text.substr(0, text.find('\0'))) {
    if (c == quote || (c == '\\' && doubles_backslash)) quoted += c;
    quoted += c;
  }
  quoted += quote;
  return quoted;
}

}  // namespace

std::string quote_identifier(std::string_view name) {
  return wrap(name, '"', false);
}

std::string quote_identifier(const TableName& name) {
  return quote_identifier(name.schema) + "." + quote_identifier(name.table);
}

std::string quote_literal(std::string_view text) {
  if (text.find('\\') == std::string_view::npos) return wrap(text, '\'', false);
  return " E" + wrap(text, '\'', true);
}

}  // namespace freshet
