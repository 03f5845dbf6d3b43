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

}  // namespace freshet
