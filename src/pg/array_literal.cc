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

std::vector<std::string> key_array_literals(std::span<const RowView> rows,
                                            std::span<const std::uint16_t> key,
                                            std::size_t first_number) {
  std::vector<ArrayLiteral> arrays(key.size() + 1);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t k = 0; k < key.size(); ++k)
      arrays[k].add(rows[i][key[k]].view());
    arrays.back().add(std::to_string(first_number + i));
  }
  std::vector<std::string> texts;
  for (const ArrayLiteral& array : arrays)
    texts.push_back(array.text());
  return texts;
}

}  // namespace freshet::pg
