#include "destinations/postgres/net_changes.h"

#include <algorithm>
#include <functional>

#include "base/try.h"
#include "types/whole_row.h"

namespace freshet::postgres {
namespace {

bool same_value(const Value& a, const Value& b) noexcept {
  return a.kind == b.kind && a.view() == b.view();
}

std::uint64_t mix(std::uint64_t hash, const Value& value) noexcept {
  const std::uint64_t next = value.is_null() ? 0 : std::hash<std::string_view>{}(value.view());
  return (hash ^ next) * 0x9E3779B97F4A7C15ULL + (hash >> 29);
}

}  // namespace

bool same_values(RowView a, RowView b, std::span<const std::uint16_t> columns) noexcept {
  return std::all_of(columns.begin(), columns.end(),
                     [&](std::uint16_t column) { return same_value(a[column], b[column]); });
}

bool NetChanges::add(const Change& change) {
  switch (change.op) {
    case Op::insert:
      put(change.after, change.lsn, true);
      return true;
    case Op::upsert:
      if (has_unchanged(change.after)) return put_part(change.after, change.after, change.lsn);
      put(change.after, change.lsn, false);
      return true;
    case Op::update:
      return update(change);
    case Op::remove:
      remove(change);
      return true;
  }
  return false;
}

void NetChanges::clear() {
  // After a large batch the table shrinks again: filling it must not cost each small one.
  if (slots_.size() > 1024 && entries_.size() * 16 < slots_.size()) slots_.resize(1024);
  std::fill(slots_.begin(), slots_.end(), 0U);
  entries_.clear();
  merged_.clear();
}

bool NetChanges::update(const Change& change) {
  const RowView after = fill_unchanged(change, key_, merged_);
  const bool has_moved = !change.before.empty() && !same_values(change.before, after, key_);
  if (has_moved) return move(change, after);
  if (has_unchanged(after)) return put_part(after, after, change.lsn);
  put(after, change.lsn, false);
  return true;
}

bool NetChanges::move(const Change& change, RowView after) {
  if (has_unchanged(after)) {
    // What was not sent can only come from a row of this batch, or stay in place by a real UPDATE.
    const Entry* old = find(change.before);
    if (old == nullptr || old->kind != Kind::put) return false;
    after = overlay(old->row, after, merged_);
  }
  remove(change);
  // No row had that key before, or the source would not have taken it.
  put(after, change.lsn, true);
  return true;
}

void NetChanges::remove(const Change& change) {
  Entry& entry = get(change.before);
  entry.kind = Kind::removed;
  entry.is_untouched = false;
  entry.row = {};
  entry.lsn = change.lsn;
}

void NetChanges::put(RowView row, Lsn lsn, bool is_insert) {
  Entry& entry = get(row);
  if (entry.kind == Kind::nothing) {
    entry.is_new = is_insert;
  } else if (entry.kind == Kind::removed || entry.kind == Kind::partial) {
    entry.is_untouched = false;
  }
  entry.kind = Kind::put;
  entry.row = row;
  entry.lsn = lsn;
}

bool NetChanges::put_part(RowView row, RowView key, Lsn lsn) {
  Entry& entry = get(key);
  entry.lsn = lsn;
  switch (entry.kind) {
    case Kind::nothing:
      entry.kind = Kind::partial;
      entry.row = row;
      return true;
    case Kind::put:
    case Kind::partial:
      entry.row = overlay(entry.row, row, merged_);
      return true;
    case Kind::removed:
      return false;
  }
  return false;
}

std::uint64_t NetChanges::hash_of(RowView key) const {
  std::uint64_t hash = 0;
  for (const std::uint16_t column : key_)
    hash = mix(hash, key[column]);
  return hash;
}

NetChanges::Entry* NetChanges::find(RowView key) {
  if (slots_.empty()) return nullptr;
  const std::uint64_t hash = hash_of(key);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = hash & mask; slots_[at] != 0; at = (at + 1) & mask) {
    Entry& entry = entries_[slots_[at] - 1];
    if (entry.hash == hash && same_values(entry.key, key, key_)) return &entry;
  }
  return nullptr;
}

NetChanges::Entry& NetChanges::get(RowView key) {
  if ((entries_.size() + 1) * 2 > slots_.size()) grow();
  const std::uint64_t hash = hash_of(key);
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  for (; slots_[at] != 0; at = (at + 1) & mask) {
    Entry& entry = entries_[slots_[at] - 1];
    if (entry.hash == hash && same_values(entry.key, key, key_)) return entry;
  }
  entries_.push_back({.key = key, .row = {}, .hash = hash});
  slots_[at] = static_cast<std::uint32_t>(entries_.size());
  return entries_.back();
}

void NetChanges::grow() {
  const std::size_t size = std::max<std::size_t>(64, slots_.size() * 2);
  slots_.assign(size, 0U);
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    std::size_t at = entries_[i].hash & (size - 1);
    while (slots_[at] != 0)
      at = (at + 1) & (size - 1);
    slots_[at] = static_cast<std::uint32_t>(i + 1);
  }
}

void NetRows::add(const Change& change) {
  // A row of a table without columns is empty too.
  if (change.old_row != OldRow::none) remove(change.before, change.lsn);
  if (change.op == Op::remove) return;
  const RowView row = fill_unchanged(change, {}, merged_);
  added_by_hash_.emplace(hash_of(row), added_.size());
  added_.push_back({row, change.lsn, true});
}

std::uint64_t NetRows::hash_of(RowView row) const noexcept {
  std::uint64_t hash = 0;
  for (const std::uint16_t column : compared_)
    hash = mix(hash, row[column]);
  return hash;
}

void NetRows::remove(RowView row, Lsn lsn) {
  const auto [first, last] = added_by_hash_.equal_range(hash_of(row));
  for (auto at = first; at != last; ++at) {
    if (!same_values(added_[at->second].values, row, compared_)) continue;
    added_[at->second].is_alive = false;
    added_by_hash_.erase(at);
    return;
  }
  removed_.push_back({row, lsn, true});
}

void NetRows::clear() {
  removed_.clear();
  added_.clear();
  added_by_hash_.clear();
  merged_.clear();
}

}  // namespace freshet::postgres
