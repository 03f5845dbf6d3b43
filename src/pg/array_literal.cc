#include "pg/array_literal.h"

namespace freshet::pg {

void ArrayLiteral::separate() {
  if (text_.size() > 1) text_ += ',';
}

void ArrayLiteral::add(std::string_view element) {
  separate();
  text_ += '"';
  for (const char c : element) {
    if (c == '"' || c == '\\') text_ += '\\';
    text_ += c;
  }
  text_ += '"';
}

void ArrayLiteral::add_null() {
  separate();
  text_ += "NULL";
}

std::string array_literal(std::span<const std::string> elements) {
  ArrayLiteral literal;
  for (const std::string& element : elements)
    literal.add(element);
  return literal.text();
}

TableNameArrays array_literals(std::span<const TableName> names) {
  ArrayLiteral schemas;
  ArrayLiteral tables;
  for (const TableName& name : names) {
    schemas.add(name.schema);
    tables.add(name.table);
  }
  return {schemas.text(), tables.text()};
}

}  // namespace freshet::pg
