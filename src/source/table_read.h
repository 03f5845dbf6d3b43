// What every reading of a table has in common: a transaction that locks before it takes its
// snapshot, the proof that the heap is still the one that was planned for, and the COPY itself.
#pragma once

#include <string>
#include <string_view>

#include "freshet/result.h"
#include "pg/connection.h"
#include "source/catalog.h"
#include "source/snapshot_copy.h"

namespace freshet::source {

/// Repeatable read: one snapshot for all that follows. What is locked first is seen as it is.
constexpr std::string_view kBeginRead =
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY NOT DEFERRABLE";

/// Begins a transaction under a snapshot that another session exported. It waits for locks for
/// seconds only: what waits for the snapshot to go may hold them up.
Status import_snapshot(pg::Connection& connection, const std::string& name);

/// Ends a worker's transaction; a failure to do so means the connection is lost, and it with it.
class ReadTransaction {
 public:
  explicit ReadTransaction(pg::Connection& connection) : connection_(connection) {}

  ReadTransaction(const ReadTransaction&) = delete;
  ReadTransaction& operator=(const ReadTransaction&) = delete;
  ~ReadTransaction();

  /// Under an exported snapshot; or, where there is no name, under one that the first query takes.
  Status begin(const std::string& snapshot_name);
  /// Within one that is open already, which stays so: what is locked is let go in the end.
  Status begin_within();

 private:
  pg::Connection& connection_;
  const char* end_ = nullptr;  // once begun
};

Result<bool> is_in_recovery(pg::Connection& connection);

/// A primary's snapshot tells of transactions on the primary only, and of this server's only.
Status check_server(pg::Connection& connection, const std::string& system_identifier);
/// Only the latter.
Status check_same_server(pg::Connection& connection, const std::string& system_identifier);

/// Locks the heap (ACCESS SHARE); one that is gone is_rewritten(). What else fails names no table:
/// the heap may be a leaf of one. Waits: not to be called with
/// other locks held.
Status lock_heap(pg::Connection& connection, const Heap& heap);
/// The same without waiting: false where somebody else locks it, which leaves the transaction to be
/// rolled back to a savepoint.
Result<bool> try_lock_heap(pg::Connection& connection, const Heap& heap);

/// Under the lock nobody can rewrite the heap; that it is still the recorded one decides whether
/// the snapshot's view of it can be trusted. If not, is_rewritten().
Status check_heap(pg::Connection& connection, const Heap& heap);

/// The same for the columns: a COPY names them, and names can be exchanged. Locks no other table:
/// who alters a partitioned one locks it before its partitions.
Status check_columns(pg::Connection& connection, const CopyTable& table, const Heap& heap);

/// The error that is_rewritten().
Error rewritten(const TableName& name);
/// One that is_changed_table(), of columns that are not what they were.
Error redefined(const TableName& name);
/// The error that is_stale_plan().
Error stale_plan(const TableName& name, std::string message);

/// The names that the columns have by now, whatever the transaction's snapshot: perhaps others' of
/// before; empty where one is gone.
Result<std::vector<std::string>> load_present_names(pg::Connection& connection,
                                                    const TableSchema& schema);

/// So many faults of a server in a row are damage.
constexpr unsigned kFaultsMax = 5;

/// True for a fault of the source's server: damaged data, a file that cannot be read. It may pass.
bool is_server_fault(const Error& error);
/// One that did not: of kind `data`, for somebody to mend.
Error damaged(const Error& error);

/// Reads the rows of `heap` that meet `condition` (empty: all) and the table's own, and hands them
/// to the sink in chunks of whole rows. Sets rows and bytes of the result.
Result<RangeResult> copy_rows(pg::Connection& connection,
                              const CopyTable& table,
                              const Heap& heap,
                              const std::string& condition,
                              CopyFormat format,
                              const ChunkSink& sink);

}  // namespace freshet::source
