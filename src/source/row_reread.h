// Rows read again by their keys, for values that the stream does not bring: an update leaves large
// ones out that it did not touch (unchanged TOAST).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "freshet/arena.h"
#include "freshet/result.h"
#include "freshet/row.h"
#include "freshet/schema.h"
#include "pg/connection.h"

namespace freshet::source {

struct RereadRequest {
  SchemaPtr schema;  ///< As streamed, completed from the catalogue.
  bool is_partitioned = false;
  std::span<const RowView> rows;  ///< Of `schema`, as text; their identity's columns were sent.
};

struct Reread {
  /// The rows asked for, with the values that they lacked; empty where there is no such row (any
  /// more).
  std::vector<RowView> rows;
  std::size_t bytes = 0;  ///< Of the values read.
  /// Every transaction that shows in the rows ended before, and is on the source's disk.
  Lsn read_upto = kNoLsn;
};

/// Reads what the rows lack as it is now, which may be newer than the rest. The transactions that
/// they are of must be visible (are_visible()). Values lie in `arena`. A table that is not what
/// `schema` says is_changed_table(); rows that cannot be asked for are `unsupported`; a lock that
/// is not to be had in seconds is `busy`.
Result<Reread> reread_rows(pg::Connection& connection, const RereadRequest& request, Arena& arena);

}  // namespace freshet::source
