// The contract of a store that a pipeline writes to.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "freshet/result.h"
#include "freshet/row.h"
#include "freshet/schema.h"
#include "freshet/table_object.h"

namespace freshet {

/// Where a table stands at one destination.
enum class TablePhase : std::uint8_t { pending, copying, catching_up, streaming, paused, errored };
std::string_view to_string(TablePhase phase) noexcept;
std::optional<TablePhase> parse_table_phase(std::string_view text) noexcept;

/// How the epoch of a slot begins that was made by somebody else.
constexpr std::string_view kAdoptedEpoch = "adopted-";

/// The timeline of a slot that was made on a standby: the server changes timelines under a running
/// stream, when it is promoted or its primary replaced, and no other server ever has the slot.
constexpr std::uint32_t kAnyTimeline = 0;

/// Identifies the slot that a position belongs to. A position without its slot means nothing.
struct SlotIdentity {
  std::string system_identifier;
  std::uint32_t timeline = kAnyTimeline;
  std::string slot_name;
  Lsn consistent_point = kNoLsn;
  std::string epoch;  ///< A UUID made when we created the slot, or adopted it (kAdoptedEpoch).

  /// It is not ours to drop.
  bool is_adopted() const { return epoch.starts_with(kAdoptedEpoch); }

  friend bool operator==(const SlotIdentity&, const SlotIdentity&) = default;
};

/// The right to run a pipeline, given by the state store.
struct Lease {
  std::string pipeline;
  std::uint64_t epoch = 0;  ///< Rises with each acquisition.
  std::string holder;       ///< "host pid 123"
};

struct TableRecord {
  TableName name;
  TablePhase phase = TablePhase::pending;
};

/// A key range that lies whole at the destination while the rest of its table is still being
/// copied, and how it was read: what a resumed copy needs to go on from it.
struct CopiedChunk {
  TableName table;
  KeyBounds bounds;
  std::string snapshot;           ///< The source's pg_snapshot that it was read under.
  Lsn read_upto = kNoLsn;         ///< The source's insert LSN afterwards.
  std::uint32_t relfilenode = 0;  ///< Of the heap it was read from.
  std::string condition;          ///< On the rows that were read, as SQL; empty: all.
  friend bool operator==(const CopiedChunk&, const CopiedChunk&) = default;
};

/// What a destination already holds of this pipeline.
struct DestinationState {
  std::optional<Position> position;  ///< Absent: nothing kept there (yet), or it keeps none.
  std::optional<SlotIdentity> slot;  ///< The slot that position belongs to.
  std::vector<TableRecord> tables;
  std::vector<CopiedChunk> chunks;  ///< Of tables whose copy was interrupted.
  /// What its tables were last made for, exact as of `position`. Empty: nobody kept that here.
  std::map<TableName, SchemaPtr> definitions;
};

/// One table and one schema version, in source order; or a TRUNCATE.
struct Run {
  SchemaPtr schema;  ///< After transforms. Null for a truncate.
  std::span<const Change> changes;
  std::span<const SchemaPtr> truncated;  ///< Non-empty: truncate these together, in one statement.
  bool is_cascade = false;
  bool restarts_identity = false;
};

struct PhaseChange {
  TableName name;
  TablePhase phase;
};

/// Whole transactions in commit order; or, where is_complete is false, a part of one transaction
/// that is too large for memory: nothing may become visible before the part that completes it.
struct Group {
  std::span<const Run> runs;
  std::span<const PhaseChange> phases;    ///< To be recorded in the same commit.
  std::span<const CopiedChunk> chunks{};  ///< The same, where traits().keeps_chunks.
  Position upto;               ///< The position after this group; ignored unless is_complete.
  SourceTime committed_at{0};  ///< Of the last transaction in it.
  bool is_complete = true;
};

enum class Durability : std::uint8_t { may_defer, required };

/// Changes of one table that the destination could not take as they were.
struct ConflictCounts {
  std::uint64_t skipped = 0;
  std::uint64_t source_won = 0;
  std::uint64_t quarantined = 0;  ///< Also those that only wait for an earlier one of their key.

  ConflictCounts& operator+=(const ConflictCounts& other) noexcept {
    skipped += other.skipped;
    source_won += other.source_won;
    quarantined += other.quarantined;
    return *this;
  }
};

struct TableConflicts {
  TableName name;
  ConflictCounts counts;
};

/// What a destination can do; fixed for its lifetime.
struct Traits {
  bool keeps_position = false;       ///< Position and rows share one commit there.
  bool is_transactional = false;     ///< Nothing of an incomplete group is ever visible.
  bool needs_full_rows = false;      ///< Cannot leave an unchanged value alone.
  bool copies_concurrently = false;  ///< begin_range may be called from several threads at once.
  bool takes_raw_copy = false;       ///< RangeWriter::raw_rows is supported.
  bool keeps_chunks = false;         ///< Keeps Group::chunks and heeds RangeId::replaced.
  bool takes_objects = false;        ///< Wants add_objects.
  std::size_t group_bytes_max = std::size_t{8} << 20;
};

/// Takes the rows of one range of an initial copy. Belongs to one copier thread. Dropping it
/// without finish() leaves the destination as it was (or holds nothing that counts).
class RangeWriter {
 public:
  virtual ~RangeWriter() = default;
  /// Adds rows (all Op::insert) of the schema given to begin_range.
  virtual Status rows(std::span<const Change> rows) = 0;
  /// Adds whole lines of PostgreSQL's COPY text format, untransformed. Only if traits say so.
  virtual Status raw_rows(std::string_view copy_text) = 0;
  /// Commits; refused (ErrorKind::fenced) when a newer lease opened the destination.
  virtual Status finish() = 0;
};

struct RangeId {
  TableName table;
  std::uint32_t index = 0;
  std::uint32_t count = 1;
  /// Rows with these keys, which an interrupted copy may have left, go in the same commit.
  std::optional<KeyBounds> replaced{};
};

/// Value of the field `reason` where a table has rows that are not ours.
constexpr std::string_view kHasRows = "has_rows";
/// The same where a change cannot be applied, as it lacks values that were not sent, and the row
/// that has them is not there.
constexpr std::string_view kLacksValues = "lacks_values";
/// The same where something at the destination that is not ours stands against a change of a
/// table, with rows and without.
constexpr std::string_view kDependedOn = "depended_on";

/// Writes ordered changes to one store. Calls come from one thread (the lane's) unless noted.
class Destination {
 public:
  virtual ~Destination() = default;  ///< Releases; never commits.

  virtual Traits traits() const = 0;
  /// Connects, checks rights, fences older writers, cleans up after a crash. `slot` is the slot
  /// that is about to be streamed. Returns what is kept there *before* this run. Called again after
  /// errors.
  virtual Result<DestinationState> open(const Lease& lease) = 0;
  /// Records the slot (and a starting position) in an empty destination. Fails with `gap` if
  /// another slot's position stands there.
  virtual Status adopt_slot(const SlotIdentity& slot, Position start) = 0;
  /// The recorded slot is lost, and the position with it. Forgets both, and the chunks, and records
  /// each table that is not `paused` as `pending`, in one durable commit: adopt_slot may follow at
  /// once or after a restart. Rows stay until reset_table. May come twice.
  virtual Status forget_slot() = 0;

  /// Fails as open and prepare_table would, changing nothing. Asked before open(), so before
  /// anything is created anywhere.
  virtual Status check_table(const SchemaPtr& schema) {
    static_cast<void>(schema);
    return ok_status();
  }

  /// Creates the table or checks what is there. Never truncates. A table that exists, has rows and
  /// is not recorded as ours is an error of kind `schema` with the reason kHasRows, after all else
  /// was found to fit.
  virtual Status prepare_table(const SchemaPtr& schema) = 0;

  /// The same for many tables, where a store can do that faster. Fails as the first of them does.
  virtual Status prepare_tables(std::span<const SchemaPtr> schemas) {
    for (const SchemaPtr& schema : schemas) {
      if (Status prepared = prepare_table(schema); !prepared.ok()) return prepared;
    }
    return ok_status();
  }

  /// Empties the table, forgets its chunks and records it as `copying`, in one commit: before a
  /// fresh copy.
  virtual Status reset_table(const SchemaPtr& schema) = 0;
  /// Takes one range of the copy; any thread if traits().copies_concurrently.
  virtual Result<std::unique_ptr<RangeWriter>> begin_range(const SchemaPtr& schema,
                                                           const RangeId& range) = 0;
  /// Called once all ranges of the table are in: starts building what was left for after the copy
  /// (indexes), without blocking later writes.
  virtual Status finish_copy(const SchemaPtr& schema) = 0;

  /// After finish_copy, where traits().takes_objects: what belongs to the table at the source. Made
  /// once the table is streaming, without blocking later writes; what cannot be made is told and
  /// left out. Replaces what was given before.
  virtual Status add_objects(const TableName& table, std::span<const TableObject> objects) {
    static_cast<void>(table);
    static_cast<void>(objects);
    return ok_status();
  }

  /// Follows DDL in stream order; may come between parts of one transaction; a replay is a no-op.
  virtual Status evolve(const SchemaPtr& from, const SchemaPtr& to) = 0;
  /// Applies the group and moves the position, in one commit where traits say so. Returns the
  /// greatest position now durable. `required` with an empty group is a barrier.
  virtual Result<Position> write(const Group& group, Durability durability) = 0;

  /// Of rows of `schema` that are given by their key alone (the identity's columns), which are not
  /// there: asked between groups, or between parts of a transaction, which count. A store that
  /// never fails for want of values (kLacksValues) is not asked.
  virtual Result<std::vector<bool>> find_missing(const SchemaPtr& schema,
                                                 std::span<const RowView> keys) {
    static_cast<void>(schema);
    return std::vector<bool>(keys.size());
  }

  /// What was committed without being applied as it came, since the last call.
  virtual std::vector<TableConflicts> take_conflicts() { return {}; }

  /// Ends background work and connections; what was not committed is rolled back.
  virtual Status close(std::chrono::steady_clock::time_point deadline) = 0;
};

}  // namespace freshet
