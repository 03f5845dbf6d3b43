// The initial copy by ctid ranges: one coordinator holds a snapshot and exports it, any number of
// workers read ranges of heaps under it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/snapshot.h"
#include "freshet/lsn.h"
#include "freshet/result.h"
#include "freshet/schema.h"
#include "pg/connection.h"
#include "source/catalog.h"

namespace freshet::source {

enum class CopyFormat : std::uint8_t { text, binary };

/// One table as it is to be copied.
struct CopyTable {
  SchemaPtr schema;           ///< Its columns, in the order wanted.
  std::string where{};        ///< SQL boolean expression; empty: all rows.
  std::vector<Heap> heaps{};  ///< As recorded before the slot was made; else from the catalogue.
};

/// Rows of one heap between two pages.
struct CopyRange {
  Heap heap;
  std::uint32_t index = 0;  ///< Among all ranges of the table.
  std::uint32_t count = 1;
  std::uint64_t first_page = 0;
  std::optional<std::uint64_t> end_page;  ///< Exclusive; nothing: to the end, however far that is.
};

struct RangeLimits {
  std::uint32_t connections = 4;
  std::uint64_t pages_min = 8192;  ///< 64 MiB: no range is cut smaller.
};

/// Cuts the table's heaps into ranges; at least one per heap. Pure.
std::vector<CopyRange> plan_ranges(std::span<const Heap> heaps, const RangeLimits& limits);

/// Asked with the snapshot that would be read under, before anything is.
using SnapshotGate = std::function<bool(const Snapshot&)>;

/// Runs what it is given, and keeps the stream from being judged meanwhile: what it brought between
/// a snapshot and its gate would make the gate say no, on a busy table and a long way each time.
using StandStill = std::function<Status(const std::function<Status()>&)>;

inline Status without_standing_still(const std::function<Status()>& work) {
  return work();
}

/// Holds the snapshot that a copy reads under. One thread at a time. Dropping it ends the snapshot
/// for workers that have not imported it yet.
class SnapshotCoordinator {
 public:
  /// Imports a snapshot which another session exported (the slot's) and exports it again, so that
  /// the session that owns it is free. Fails with `gap` on a standby or another server.
  static Result<std::unique_ptr<SnapshotCoordinator>> import(const pg::ConnectOptions& options,
                                                             const std::string& system_identifier,
                                                             const std::string& snapshot_name);
  /// Locks the heaps (ACCESS SHARE), then takes a snapshot of its own and asks `gate`: null where
  /// it says no. The locks are let go before this returns: nobody is kept from altering a table for
  /// as long as its copy takes. For restarts and resyncs, after pass_barrier(), and for all copies
  /// on a standby: there nothing is locked, since a lock holds up the replay of what it is in the
  /// way of. `tables` get the heaps as they are; what is_rewritten() meanwhile is found only after
  /// the gate said yes: try again.
  static Result<std::unique_ptr<SnapshotCoordinator>> take(
      const pg::ConnectOptions& options,
      const std::string& system_identifier,
      std::span<CopyTable> tables,
      const SnapshotGate& gate,
      const StandStill& stand_still = without_standing_still);

  /// After import(): for each table, that it still has the heaps which were recorded before the
  /// slot was made. If not (a rewrite, a leaf that came or went), is_rewritten(): copy that table
  /// under a snapshot of its own, by take().
  Result<std::vector<Status>> check_heaps(std::span<const CopyTable> tables);

  /// For SET TRANSACTION SNAPSHOT of the workers; empty on a standby.
  const std::string& snapshot_name() const { return snapshot_name_; }

  /// Null but on a standby: there only the session that took the snapshot reads under it. What was
  /// under way is not exported with it once sub-transactions are many, and whoever imports it sees
  /// what commits later.
  pg::Connection* reader() const { return replayed_ ? connection_.get() : nullptr; }

  /// Where all is replayed that a standby's snapshot sees; nothing: it is a primary's.
  const std::optional<Lsn>& replayed() const { return replayed_; }

  const Snapshot& snapshot() const { return snapshot_; }

  const std::string& system_identifier() const { return system_identifier_; }

 private:
  SnapshotCoordinator(std::unique_ptr<pg::Connection> connection, std::string system_identifier);
  Status lock_all(std::span<const CopyTable> tables);
  Status unlock_all();
  Status export_snapshot();
  Status load_snapshot();
  Status take_on_standby();
  Status await_replayed();

  std::unique_ptr<pg::Connection> connection_;
  std::string system_identifier_;
  std::string snapshot_name_;
  Snapshot snapshot_;
  std::optional<Lsn> replayed_;
};

struct RangeRequest {
  const CopyTable* table = nullptr;
  const CopyRange* range = nullptr;
  std::string snapshot_name;  ///< Empty: the connection is the coordinator's reader().
  std::string system_identifier;
  std::optional<Lsn> replayed{};  ///< SnapshotCoordinator::replayed()
  CopyFormat format = CopyFormat::text;
  std::function<void()> on_locked{};  ///< Called once reading can begin.
};

struct RangeResult {
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;
  /// Settled once streamed past it: the insert LSN afterwards; of a standby, which has flushed all
  /// that it shows, where all is replayed that its snapshot sees.
  Lsn read_upto = kNoLsn;
};

/// Takes whole lines (text) or whole tuples (binary; the first chunk starts with the header), about
/// 256 KiB at a time; valid during the call. An error ends the copy.
using ChunkSink = std::function<Status(std::string_view chunk)>;

/// Whole rows are gathered until so many bytes before the sink is called.
constexpr std::size_t kCopyChunkBytes = std::size_t{256} << 10;

/// Reads one range on a worker's connection (outside a transaction) or on reader(). A heap that was
/// rewritten, truncated or dropped since it was recorded is an error of kind `schema` with context
/// reason=rewritten, one whose columns are others with reason=redefined: the caller starts that
/// table again. One that somebody else locks fails with SQLSTATE 55P03 after seconds. A coordinator
/// that is gone is `connection` with reason=snapshot_gone. Ends with `cancelled` on interrupt().
Result<RangeResult> copy_range(pg::Connection& connection,
                               const RangeRequest& request,
                               const ChunkSink& sink);

/// True if `error` says that the table's rows were rewritten, so that it must be copied anew.
bool is_rewritten(const Error& error);
/// True if the table is not what it was when its copy was planned: is_rewritten(), or columns or
/// the table itself are gone.
bool is_changed_table(const Error& error);
/// True if a row filter or a list names a column that the table does not have, perhaps not any
/// more: only who looks the publications up again can go on.
bool is_stale_plan(const Error& error);

}  // namespace freshet::source
