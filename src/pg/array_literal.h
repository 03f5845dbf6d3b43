// PostgreSQL's text form of arrays, for parameters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "freshet/row.h"
#include "freshet/schema.h"

namespace freshet::pg {

/// Builds `{"a","b\"c",NULL}` element by element.
class ArrayLiteral {
 public:
  void add(std::string_view element);
  void add_null();

  /// The array so far.
  std::string text() const { return text_ + "}"; }

 private:
  void separate();
  std::string text_ = "{";
};

std::string array_literal(std::span<const std::string> elements);

/// `{1,2,3}`: what `number` makes of each item.
template <typename Items, typename Number>
std::string integer_array_literal(const Items& items, Number number) {
  std::string text = "{";
  for (const auto& item : items) {
    if (text.size() > 1) text += ',';
    text += std::to_string(number(item));
  }
  return text + "}";
}

/// Names of tables as two arrays of equal length, for unnest($1, $2).
struct TableNameArrays {
  std::string schemas;
  std::string tables;
};

TableNameArrays array_literals(std::span<const TableName> names);

/// The rows' keys, sent as text: for each column of `key` the values of all rows; behind them the
/// rows' numbers, which count from `first_number`. For unnest($1, $2, …).
std::vector<std::string> key_array_literals(std::span<const RowView> rows,
                                            std::span<const std::uint16_t> key,
                                            std::size_t first_number = 0);

}  // namespace freshet::pg
