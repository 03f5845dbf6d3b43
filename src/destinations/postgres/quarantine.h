// The changes that wait in freshet.quarantine, as the writer sees them: which keys may not be
// overtaken, and how one more is kept. Listing and replaying them is quarantine_replay.h.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "destinations/postgres/target.h"
#include "freshet/destination.h"
#include "pg/connection.h"

namespace freshet::postgres {

/// One thread. The connection is in plain mode whenever a method that takes it is called.
///
/// Only the writer adds entries, and only while it holds the lock of its row in freshet.progress;
/// whoever takes entries away holds the same lock. What is known here is therefore never less than
/// what is kept, and exact after refresh() under that lock.
class Quarantine {
 public:
  explicit Quarantine(std::string pipeline) : pipeline_(std::move(pipeline)) {}

  /// Reads what is kept of all tables.
  Status load(pg::Connection& connection);
  /// Reads what is kept of the table again if entries were taken away.
  Status refresh(pg::Connection& connection, const TableName& table);

  /// True if something of the table may wait.
  bool has(const TableName& table) const { return held_.contains(table); }

  /// True if one of the runs touches a key that waits, or empties a table of such keys.
  bool concerns(std::span<const Run> runs, TargetCache& targets) const;
  bool holds(const Target& target, const Change& change) const;

  /// Keeps the change, in the open transaction. `reason`: why it was refused; null: it waits for an
  /// earlier one of its key.
  Status add(pg::Connection& connection,
             const Target& target,
             const Change& change,
             const Error* reason);
  /// The table is empty: nothing waits for it any more. In the open transaction.
  Status drop(pg::Connection& connection, const TableName& table);
  /// The table's key is another one: nothing of it may be overtaken. In the open transaction.
  Status hold_every_key(pg::Connection& connection, const TableName& table);
  /// Those names of columns mean nothing or others from here on: what was kept under one of them is
  /// not to be replayed. In the open transaction.
  Status outdate(pg::Connection& connection,
                 const TableName& table,
                 const std::vector<std::string>& names);

 private:
  struct Held {
    void hold(std::string_view key);

    std::uint64_t entries = 0;
    bool is_every_key = false;
    std::unordered_set<std::uint64_t> keys;  // hashes: who shares one waits too, no harm done
  };

  Status read(pg::Connection& connection, const TableName* table);

  const std::string pipeline_;
  std::map<TableName, Held> held_;
};

}  // namespace freshet::postgres
