// The key ranges of one table that is copied in chunks, and what a range means for a streamed
// change to one of its rows (design.md §4). Pure; its owner locks it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/snapshot.h"
#include "freshet/lsn.h"

namespace freshet {

/// Of sort keys (types/sort_key.h): from `from` on, up to but not including `to`.
struct KeyRange {
  std::string from;               ///< Empty: from the first key.
  std::optional<std::string> to;  ///< Nothing: to the last key, even one that comes later.
  friend bool operator==(const KeyRange&, const KeyRange&) = default;
};

enum class ChunkId : std::uint64_t {};

class ChunkMap {
 public:
  enum class State : std::uint8_t {
    reading,  ///< Being read: changes that its snapshot misses wait.
    done,     ///< Whole at the destination: changes that its snapshot misses are applied.
  };

  struct Chunk {
    ChunkId id{0};
    KeyRange range;
    State state = State::reading;
    Snapshot snapshot;
    Lsn read_upto = kNoLsn;   ///< Once done: the source's insert LSN after it was read.
    std::vector<Xid> held{};  ///< While reading: transactions whose changes wait.
  };

  ChunkMap() = default;

  /// The key's columns, and the heap that all chunks are read from.
  ChunkMap(std::vector<std::string> columns, std::uint32_t relfilenode)
      : columns_(std::move(columns)), relfilenode_(relfilenode) {}

  const std::vector<std::string>& columns() const noexcept { return columns_; }

  std::uint32_t relfilenode() const noexcept { return relfilenode_; }

  /// A range that must touch no other one. Returns what names it from now on.
  ChunkId begin(KeyRange range, Snapshot snapshot);
  /// False if the chunk is not known (any more): what was read does not count.
  bool finish(ChunkId id, Lsn read_upto);
  /// Back to unread. Returns the transactions whose changes waited for it, and now wait no more.
  std::vector<Xid> drop(ChunkId id);

  /// The chunk that holds `key`; null where nothing was read yet. Valid until the next change.
  Chunk* find(std::string_view key);
  /// What no chunk covers, in key order.
  std::vector<KeyRange> unread() const;
  bool is_complete() const;
  /// True if every chunk's snapshot sees the transaction.
  bool is_seen_by_all(Xid top_level) const;
  /// The greatest of all chunks.
  Lsn read_upto() const;

 private:
  using ByStart = std::map<std::string, Chunk, std::less<>>;
  ByStart::iterator find(ChunkId id);

  std::vector<std::string> columns_;
  std::uint32_t relfilenode_ = 0;
  ByStart chunks_;
  std::uint64_t last_id_ = 0;
};

}  // namespace freshet
