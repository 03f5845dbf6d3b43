#include "types/primary_key.h"

#include <algorithm>

namespace freshet {

std::vector<const Column*> primary_key_columns(const TableSchema& schema) {
  std::vector<const Column*> key;
  for (const Column& column : schema.columns) {
    if (column.primary_key_place > 0) key.push_back(&column);
  }
  std::sort(key.begin(), key.end(), [](const Column* a, const Column* b) {
    return a->primary_key_place < b->primary_key_place;
  });
  return key;
}

std::vector<std::uint16_t> identity_columns(const TableSchema& schema) {
  std::vector<std::uint16_t> columns;
  for (std::size_t i = 0; i < schema.columns.size(); ++i) {
    if (schema.columns[i].is_identity) columns.push_back(static_cast<std::uint16_t>(i));
  }
  return columns;
}

}  // namespace freshet
