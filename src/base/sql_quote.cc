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

namespace {

template <typename Quote>
std::string sql_row(const std::vector<std::string>& items, Quote quote) {
  std::string row;
  for (const std::string& item : items)
    row += (row.empty() ? "(" : ", ") + quote(item);
  return row + ")";
}

}  // namespace

// Literals without a type take that of the column they are compared with, in a row too.
std::string key_condition(const KeyBounds& bounds) {
  const std::string columns =
      sql_row(bounds.columns, [](const std::string& name) { return quote_identifier(name); });
  const auto compared_with = [&](const char* comparison, const std::vector<std::string>& values) {
    return columns + comparison +
           sql_row(values, [](const std::string& value) { return quote_literal(value); });
  };
  std::string condition;
  if (!bounds.from.empty()) condition = compared_with(" >= ", bounds.from);
  if (!bounds.to.empty()) {
    condition += (condition.empty() ? "" : " AND ") + compared_with(" < ", bounds.to);
  }
  return condition.empty() ? "true" : condition;
}

}  // namespace freshet
