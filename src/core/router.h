// Decides, for one destination, what becomes of a streamed change: applied, skipped because the
// copy already has it, or held until the copy is done. The hand-off of design.md §4 as a state
// machine: no thread, clock or I/O. Not thread-safe; its owner locks it.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <vector>

#include "core/chunk_map.h"
#include "core/snapshot.h"
#include "freshet/destination.h"
#include "freshet/lsn.h"

namespace freshet {

enum class Verdict : std::uint8_t {
  apply,
  skip,
  hold,
  by_key,  ///< The table is copied in chunks: ask judge_key() for each row.
};

struct KeyVerdict {
  Verdict verdict = Verdict::skip;  ///< Never by_key.
  ChunkId chunk{0};                 ///< The one that holds the key; 0 where it is unread.
  friend bool operator==(const KeyVerdict&, const KeyVerdict&) = default;
};

/// True once a stream that is at `position` has passed everything before `lsn`. An insert LSN may
/// already count the header of a page whose first record is not written yet; such a header is no
/// record to wait for.
bool has_passed(Position position, Lsn lsn) noexcept;

class Router {
 public:
  /// `start`: what the destination stands at; all that was streamed before is judged.
  explicit Router(Position start = {}) : start_(start.end) {}

  /// A table that the destination already follows.
  void add_streaming(const TableName& table);
  /// A table to be copied: its changes are skipped until begin_copy.
  void add_pending(const TableName& table);

  /// A table whose changes are all skipped; `phase` is `paused` or `errored`.
  void add_set_aside(const TableName& table, TablePhase phase);

  bool knows(const TableName& table) const { return routes_.contains(table); }

  /// What to do with the changes to `table` of a committed transaction. Call it once for each table
  /// of each transaction, in commit order: it remembers the transactions that it skipped. A copy
  /// whose snapshot, a standby's, may see it or not is void: the table is pending again.
  Verdict judge(const TableName& table, const Committed& transaction);

  /// The table is read under the snapshot that our slot's creation exported. Every transaction that
  /// the slot streams came after it.
  void begin_copy_of_slot(const TableName& table);
  /// True if `snapshot` sees every transaction judged while the table was pending (of a standby's:
  /// every one judged at all): only then does no change fall between the stream and the copy. Call
  /// it and begin_copy under one lock.
  bool may_begin_copy(const TableName& table, const Snapshot& snapshot);
  void begin_copy(const TableName& table, Snapshot snapshot);

  /// The table is copied in chunks from here on, key by key; none of it is read yet.
  /// `columns` are those of the key, `relfilenode` the heap that all chunks are read from.
  void begin_chunked_copy(const TableName& table,
                          std::vector<std::string> columns,
                          std::uint32_t relfilenode);
  /// After begin_chunked_copy: a chunk that a former process left whole at the destination.
  void resume_chunk(const TableName& table, KeyRange range, Snapshot snapshot, Lsn read_upto);

  bool is_chunked(const TableName& table) const { return get(table).chunks.has_value(); }

  /// Of a chunked copy.
  const std::vector<std::string>& chunk_columns(const TableName& table) const;
  std::uint32_t chunk_heap(const TableName& table) const;
  /// True if no chunk misses the transaction, and those yet to be read will not: it is remembered.
  bool is_seen_by_all_chunks(const TableName& table, Xid top_level);
  /// What to do with a change to the row of `key`. Remembers a transaction that it skipped because
  /// the key is unread.
  KeyVerdict judge_key(const TableName& table, std::string_view key, Xid top_level);
  /// True if `snapshot` sees every transaction skipped so far. Call it and begin_chunk under one
  /// lock.
  bool may_begin_chunk(const TableName& table, const Snapshot& snapshot);
  ChunkId begin_chunk(const TableName& table, KeyRange range, Snapshot snapshot);
  /// The chunk is whole at the destination and flushed at the source. False if it does not count,
  /// as the table's copy began again.
  bool finish_chunk(const TableName& table, ChunkId chunk, Lsn read_upto);
  /// The chunk is unread again.
  void drop_chunk(const TableName& table, ChunkId chunk);
  /// As restart_copy; and from now on the table is not copied in chunks: a change to it could
  /// neither be applied nor wait.
  void restart_copy_whole(const TableName& table);

  bool may_copy_in_chunks(const TableName& table) const { return !get(table).is_kept_whole; }

  /// What is left to read; nothing for a table that is not (or no more) copied in chunks.
  std::vector<KeyRange> unread(const TableName& table) const;
  /// Whether every chunk is done, and the LSN that the stream must pass for all to be settled.
  bool has_all_chunks(const TableName& table) const;
  Lsn chunks_read_upto(const TableName& table) const;

  /// All ranges are in. `settled_at`: the source's insert LSN after the last one was read.
  void finish_copy(const TableName& table, Lsn settled_at);
  /// True if held changes may be applied: the copy is finished and the stream passed its end.
  bool may_catch_up(const TableName& table, Position position) const;
  /// From now on changes are applied as they come.
  void set_streaming(const TableName& table);
  /// Back to the start: what was copied does not count.
  void restart_copy(const TableName& table);

  /// True if the table was read under a snapshot that the source may have lost in a crash: taken
  /// after the slot's, and not yet passed by the stream. A reconnect makes its copy void. (A
  /// standby has flushed what it replays.)
  bool is_unsettled(const TableName& table, Position position) const;
  TablePhase phase(const TableName& table) const;
  /// But for those set aside.
  bool is_all_streaming() const;
  std::vector<TableName> tables_in(TablePhase phase) const;

  /// As tables_in(phase).size(), at once however many tables there are.
  std::size_t count_in(TablePhase phase) const { return counts_[static_cast<std::size_t>(phase)]; }

 private:
  struct Route {
    TablePhase phase = TablePhase::pending;
    std::vector<Xid> judged{};           // skipped as unread: a snapshot must see them
    Lsn judged_upto = kNoLsn;            // the end of the last transaction judged, ever
    std::optional<Snapshot> snapshot{};  // absent: the slot's own, or chunks have theirs
    std::optional<ChunkMap> chunks{};    // while it is copied in chunks
    bool is_kept_whole = false;          // must be copied under one snapshot
    Lsn settled_at = kNoLsn;
  };

  const Route& get(const TableName& table) const;
  Route& get(const TableName& table);
  void add(const TableName& table, TablePhase phase);
  void set_phase(Route& route, TablePhase phase);

  Lsn start_;
  std::map<TableName, Route> routes_;
  std::array<std::size_t, static_cast<std::size_t>(TablePhase::errored) + 1>
      counts_{};  // of routes_, by phase
};

}  // namespace freshet
