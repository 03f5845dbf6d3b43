// Decides, for one destination, what becomes of a streamed change: applied, skipped because the
// copy already has it, or held until the copy is done. The hand-off of design.md §4 as a state
// machine: no thread, clock or I/O. Not thread-safe; its owner locks it.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "core/snapshot.h"
#include "freshet/destination.h"
#include "freshet/lsn.h"

namespace freshet {

enum class Verdict : std::uint8_t { apply, skip, hold };

/// True once a stream that is at `position` has passed everything before `lsn`. An insert LSN may
/// already count the header of a page whose first record is not written yet; such a header is no
/// record to wait for.
bool has_passed(Position position, Lsn lsn) noexcept;

class Router {
 public:
  /// A table that the destination already follows.
  void add_streaming(const TableName& table);
  /// A table to be copied: its changes are skipped until begin_copy.
  void add_pending(const TableName& table);

  bool knows(const TableName& table) const { return routes_.contains(table); }

  /// What to do with the changes to `table` of a committed transaction. Call it once for each table
  /// of each transaction, in commit order: it remembers the transactions that it skipped.
  Verdict judge(const TableName& table, Xid top_level);

  /// The table is read under the snapshot that our slot's creation exported. Every transaction that
  /// the slot streams came after it.
  void begin_copy_of_slot(const TableName& table);
  /// True if `snapshot` sees every transaction judged while the table was pending: only then does
  /// no change fall between the stream and the copy. Call it and begin_copy under one lock.
  bool may_begin_copy(const TableName& table, const Snapshot& snapshot);
  void begin_copy(const TableName& table, Snapshot snapshot);

  /// All ranges are in. `settled_at`: the source's insert LSN after the last one was read.
  void finish_copy(const TableName& table, Lsn settled_at);
  /// True if held changes may be applied: the copy is finished and the stream passed its end.
  bool may_catch_up(const TableName& table, Position position) const;
  /// From now on changes are applied as they come.
  void set_streaming(const TableName& table);
  /// Back to the start: what was copied does not count.
  void restart_copy(const TableName& table);

  /// True if the table was read under a snapshot that the source may have lost in a crash: taken
  /// after the slot's, and not yet passed by the stream. A reconnect makes its copy void.
  bool is_unsettled(const TableName& table, Position position) const;
  TablePhase phase(const TableName& table) const;
  bool is_all_streaming() const;
  std::vector<TableName> tables_in(TablePhase phase) const;

 private:
  struct Route {
    TablePhase phase = TablePhase::pending;
    std::vector<Xid> judged;           // while pending: transactions a snapshot must see
    std::optional<Snapshot> snapshot;  // absent: the slot's own
    Lsn settled_at = kNoLsn;
  };

  const Route& get(const TableName& table) const;
  Route& get(const TableName& table);

  std::map<TableName, Route> routes_;
};

}  // namespace freshet
