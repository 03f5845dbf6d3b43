#include "types/whole_row.h"

#include <algorithm>

namespace freshet {

bool has_unchanged(RowView row) noexcept {
  return std::any_of(row.begin(), row.end(),
                     [](const Value& value) { return value.is_unchanged(); });
}

Change as_insert(const Change& change, Arena& arena) {
  Change insert = change;
  insert.op = Op::insert;
  insert.before = {};
  insert.old_row = OldRow::none;
  if (change.old_row != OldRow::full || !has_unchanged(change.after)) return insert;
  const std::span<Value> filled = arena.array<Value>(change.after.size());
  for (std::size_t i = 0; i < filled.size(); ++i)
    filled[i] = change.after[i].is_unchanged() ? change.before[i] : change.after[i];
  insert.after = filled;
  return insert;
}

}  // namespace freshet
