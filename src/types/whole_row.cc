#include "types/whole_row.h"

#include <algorithm>

namespace freshet {

bool has_unchanged(RowView row) noexcept {
  return std::any_of(row.begin(), row.end(),
                     [](const Value& value) { return value.is_unchanged(); });
}

bool has_binary(RowView row) noexcept {
  return std::any_of(row.begin(), row.end(),
                     [](const Value& value) { return value.kind == ValueKind::binary; });
}

RowView fill_unchanged(const Change& change, std::span<const std::uint16_t> key, Arena& arena) {
  if (change.before.empty() || !has_unchanged(change.after)) return change.after;
  const std::span<Value> filled = arena.array<Value>(change.after.size());
  std::copy(change.after.begin(), change.after.end(), filled.begin());
  if (change.old_row == OldRow::full) {
    for (std::size_t i = 0; i < filled.size(); ++i) {
      if (filled[i].is_unchanged()) filled[i] = change.before[i];
    }
  } else {
    for (const std::uint16_t column : key) {
      if (filled[column].is_unchanged()) filled[column] = change.before[column];
    }
  }
  return filled;
}

RowView overlay(RowView base, RowView sent, Arena& arena) {
  const std::span<Value> merged = arena.array<Value>(sent.size());
  for (std::size_t i = 0; i < sent.size(); ++i) {
    merged[i] = sent[i].is_unchanged() ? base[i] : sent[i];
  }
  return merged;
}

Change as_removal(const Change& change) {
  Change removal = change;
  removal.op = Op::remove;
  if (change.before.empty()) {
    removal.before = change.after;
    removal.old_row = OldRow::key;
  }
  removal.after = {};
  return removal;
}

Change as_upsert(const Change& change) {
  Change upsert = change;
  upsert.op = Op::upsert;
  upsert.before = {};
  upsert.old_row = OldRow::none;
  return upsert;
}

Change as_insert(const Change& change, Arena& arena) {
  Change insert = change;
  insert.op = Op::insert;
  insert.after = fill_unchanged(change, {}, arena);
  insert.before = {};
  insert.old_row = OldRow::none;
  return insert;
}

}  // namespace freshet
