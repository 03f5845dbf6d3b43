// What a batch of changes to one table comes to: the last state per key. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "freshet/arena.h"
#include "freshet/row.h"

namespace freshet::postgres {

/// True if the rows have equal bytes in all `columns`.
bool same_values(RowView a, RowView b, std::span<const std::uint16_t> columns) noexcept;

/// For tables addressed by a key whose equality is that of bytes. Holds views into the group.
class NetChanges {
 public:
  enum class Kind : std::uint8_t { nothing, put, partial, removed };

  struct Entry {
    RowView key;  ///< A row that has the key's values.
    RowView row;  ///< put: complete; partial: unchanged where not sent.
    std::uint64_t hash = 0;
    Lsn lsn = kNoLsn;
    Kind kind = Kind::nothing;
    bool is_new = false;       ///< The first thing seen of this key was a row that took it,
    bool is_untouched = true;  ///< and nothing else happened to it.
  };

  explicit NetChanges(std::vector<std::uint16_t> key) : key_(std::move(key)) {}

  /// False: this change cannot be merged; write what is here, then the change by itself.
  [[nodiscard]] bool add(const Change& change);
  void clear();

  bool empty() const noexcept { return entries_.empty(); }

  /// In the order in which the keys were first seen.
  std::span<const Entry> entries() const noexcept { return entries_; }

 private:
  bool update(const Change& change);
  void remove(const Change& change);
  void put(RowView row, Lsn lsn, bool is_insert);
  bool put_part(RowView row, RowView key, Lsn lsn);
  bool move(const Change& change, RowView after);
  Entry* find(RowView key);
  Entry& get(RowView key);
  std::uint64_t hash_of(RowView key) const;
  void grow();

  std::vector<std::uint16_t> key_;
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> slots_;  // place in entries_ plus one; 0: free
  Arena merged_{std::size_t{64} << 10};
};

/// For tables whose rows have no key (REPLICA IDENTITY FULL): what to remove, then what to add. A
/// row that came and went inside the batch cancels out.
class NetRows {
 public:
  /// `compared`: the columns that tell rows apart.
  explicit NetRows(std::vector<std::uint16_t> compared) : compared_(std::move(compared)) {}

  struct Row {
    RowView values;
    Lsn lsn = kNoLsn;
    bool is_alive = true;
  };

  void add(const Change& change);

  /// Adds a row that no later change can touch.
  void append(RowView row, Lsn lsn) { added_.push_back({row, lsn, true}); }

  void clear();

  bool empty() const noexcept { return removed_.empty() && added_.empty(); }

  std::span<const Row> removed() const noexcept { return removed_; }

  std::span<const Row> added() const noexcept { return added_; }

 private:
  void remove(RowView row, Lsn lsn);
  std::uint64_t hash_of(RowView row) const noexcept;

  std::vector<std::uint16_t> compared_;
  std::vector<Row> removed_;
  std::vector<Row> added_;
  std::unordered_multimap<std::uint64_t, std::size_t> added_by_hash_;
  Arena merged_{std::size_t{64} << 10};
};

}  // namespace freshet::postgres
