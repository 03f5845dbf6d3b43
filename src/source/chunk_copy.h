// The copy in chunks: ranges of the primary key, each read in a short transaction of its own under
// a snapshot of its own, so that no snapshot is held for long (design.md §4).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/snapshot.h"
#include "freshet/destination.h"
#include "freshet/result.h"
#include "pg/connection.h"
#include "source/snapshot_copy.h"

namespace freshet::source {

/// Has the source flush its WAL as far as it is written now; returns that LSN. `connection` must be
/// outside a transaction.
Result<Lsn> flush_source(pg::Connection& connection);

/// A key of the table about `rows` rows on from the start of `bounds`; empty if there are fewer
/// within. Costs a look at as many entries of the primary key's index. The server's estimates do
/// not matter: nothing is promised about how many rows there will be.
Result<std::vector<std::string>> find_chunk_end(pg::Connection& connection,
                                                const Heap& heap,
                                                const KeyBounds& bounds,
                                                std::uint64_t rows);

struct ChunkRequest {
  const CopyTable* table = nullptr;  ///< With one heap.
  /// All of the table as the catalogue had it when its copy began.
  const TableSchema* planned = nullptr;
  KeyBounds bounds;
  std::string system_identifier;
};

/// Reads one chunk on a worker's connection: locks the heap, takes a snapshot, asks `gate`, reads,
/// and has the source flush its WAL, so that what was read outlives a crash of the source. Where
/// the gate says no, nothing was read and the result is empty: try again soon. Errors as
/// copy_range(), also after the gate said yes; and is_changed_table() where columns came or became
/// others since the copy began: changes that the snapshot sees, with values for them, are skipped
/// as the chunk's.
Result<std::optional<RangeResult>> copy_chunk(pg::Connection& connection,
                                              const ChunkRequest& request,
                                              const SnapshotGate& gate,
                                              const ChunkSink& sink);

}  // namespace freshet::source
