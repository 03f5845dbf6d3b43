// What a running pipeline tells about itself: read by the live display, `status` and the demo.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "freshet/destination.h"

namespace freshet {

struct TableStats {
  std::string destination;
  TableName name;
  TablePhase phase = TablePhase::pending;
  std::uint64_t rows_copied = 0;
  std::uint64_t rows_estimated = 0;  ///< By the planner's statistics; 0 if unknown.
  std::uint64_t bytes_copied = 0;
  std::uint64_t changes_applied = 0;
  ConflictCounts conflicts;  ///< Of these, what was not applied as it came.
};

/// Lag from the source's commit to the destination's, in milliseconds, over the last few seconds.
struct LagStats {
  double now_ms = 0;
  double p50_ms = 0;
  double p99_ms = 0;
  double max_ms = 0;
};

struct DestinationStats {
  std::string name;
  Position written;
  Position durable;
  std::uint64_t changes_applied = 0;
  std::uint64_t transactions_applied = 0;
  std::uint64_t groups_written = 0;
  ConflictCounts conflicts;
  LagStats lag;
};

/// The slot at the source, as looked at every few seconds.
struct SlotStats {
  std::uint64_t retained_wal_bytes = 0;        ///< What the server keeps for it.
  std::optional<std::int64_t> safe_wal_bytes;  ///< Until it may be lost; nothing: no limit.
  /// If nothing more is acknowledged and writers go on; nothing: unknown, or for ever.
  std::optional<std::chrono::seconds> time_left;
};

/// A snapshot of the whole; values only, safe to keep.
struct PipelineStats {
  std::string pipeline;
  std::string activity;   ///< One phrase: "copying", "waiting for transaction 731 ...".
  Position received;      ///< End of what the reader has read.
  Position acknowledged;  ///< What the slot was told.
  std::uint64_t changes_received = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t texts_embedded = 0;
  std::uint64_t reconnects = 0;
  std::optional<SlotStats> slot;  ///< Nothing: not looked at yet, or not there.
  std::vector<TableStats> tables;
  std::vector<DestinationStats> destinations;
  bool is_caught_up = false;
};

}  // namespace freshet
