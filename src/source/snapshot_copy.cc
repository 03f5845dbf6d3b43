#include "source/snapshot_copy.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "base/sql_quote.h"
#include "base/try.h"
#include "source/table_read.h"
#include "types/table_error.h"

namespace freshet::source {
namespace {

constexpr std::chrono::milliseconds kReplayPoll{2};
constexpr std::chrono::milliseconds kReplayWait{1000};

auto find_heap(std::span<const Heap> heaps, Oid relation) {
  return std::find_if(heaps.begin(), heaps.end(),
                      [&](const Heap& heap) { return heap.relation == relation; });
}

/// A leaf that came or went since the heaps were listed: its rows may be in neither copy nor
/// stream.
Status check_same_heaps(std::span<const Heap> then,
                        std::span<const Heap> now,
                        const CopyTable& table) {
  bool is_same = then.size() == now.size();
  for (const Heap& heap : now)
    is_same = is_same && find_heap(then, heap.relation) != then.end();
  return is_same ? Status{} : Status{rewritten(table.schema->name)};
}

Status check_same_files(const CopyTable& table, std::span<const Heap> now) {
  FRESHET_TRY(check_same_heaps(table.heaps, now, table));
  for (const Heap& heap : now) {
    const auto then = find_heap(table.heaps, heap.relation);
    if (then->relfilenode != heap.relfilenode) return rewritten(heap.name);
  }
  return {};
}

std::vector<TableName> names_of(std::span<const CopyTable> tables) {
  std::vector<TableName> names;
  for (const CopyTable& table : tables)
    names.push_back(table.schema->name);
  return names;
}

std::vector<Oid> relations_of(std::span<const CopyTable> tables) {
  std::vector<Oid> relations;
  for (const CopyTable& table : tables)
    relations.push_back(table.schema->relation);
  return relations;
}

struct TablesHeap {
  const CopyTable& table;
  const Heap& heap;
};

/// Locks all heaps but foreign ones, up to the first that somebody else has locked. That one; none:
/// all are locked.
Result<std::optional<TablesHeap>> lock_without_waiting(pg::Connection& connection,
                                                       std::span<const CopyTable> tables) {
  for (const CopyTable& table : tables) {
    for (const Heap& heap : table.heaps) {
      if (heap.is_foreign) continue;
      auto is_locked = try_lock_heap(connection, heap);
      if (!is_locked.ok()) return naming(std::move(is_locked).error(), table.schema->name);
      if (!*is_locked) return std::optional{TablesHeap{table, heap}};
    }
  }
  return std::optional<TablesHeap>{};
}

std::string page_condition(const CopyRange& range) {
  std::string condition;
  if (range.first_page > 0) {
    condition = "ctid >= '(" + std::to_string(range.first_page) + ",0)'::tid";
  }
  if (range.end_page) {
    if (!condition.empty()) condition += " AND ";
    condition += "ctid < '(" + std::to_string(*range.end_page) + ",0)'::tid";
  }
  return condition;
}

}  // namespace

std::vector<CopyRange> plan_ranges(std::span<const Heap> heaps, const RangeLimits& limits) {
  std::uint64_t pages = 0;
  for (const Heap& heap : heaps)
    pages += heap.is_foreign ? 0 : heap.pages;
  const std::uint64_t pieces = std::max<std::uint64_t>(limits.connections, 1) * 4;
  const std::uint64_t size =
      std::max({limits.pages_min, (pages + pieces - 1) / pieces, std::uint64_t{1}});
  std::vector<CopyRange> ranges;
  for (const Heap& heap : heaps) {
    if (heap.is_foreign) continue;
    for (std::uint64_t first = 0; first == 0 || first < heap.pages; first += size) {
      CopyRange& range = ranges.emplace_back();
      range.heap = heap;
      range.first_page = first;
      if (first + size < heap.pages) range.end_page = first + size;
    }
  }
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    ranges[i].index = static_cast<std::uint32_t>(i);
    ranges[i].count = static_cast<std::uint32_t>(ranges.size());
  }
  return ranges;
}

SnapshotCoordinator::SnapshotCoordinator(std::unique_ptr<pg::Connection> connection,
                                         std::string system_identifier)
    : connection_(std::move(connection)), system_identifier_(std::move(system_identifier)) {}

Status SnapshotCoordinator::export_snapshot() {
  FRESHET_TRY(const pg::Rows rows, connection_->query("SELECT pg_export_snapshot()"));
  snapshot_name_ = rows.text(0, 0);
  return {};
}

Status SnapshotCoordinator::load_snapshot() {
  FRESHET_TRY(const pg::Rows rows, connection_->query("SELECT pg_current_snapshot()"));
  FRESHET_TRY(snapshot_, Snapshot::parse(rows.text(0, 0)));
  return {};
}

// One message, so that next to nothing is replayed between the first look and the last. The last
// statement takes its snapshot before it calls a function.
Status SnapshotCoordinator::take_on_standby() {
  FRESHET_TRY(
      const pg::Rows rows,
      connection_->query(
          "BEGIN; SELECT set_config('freshet.replayed', pg_last_wal_replay_lsn()::text, false); "
          "COMMIT; " +
          std::string{kBeginRead} +
          "; SELECT pg_current_snapshot(), current_setting('freshet.replayed'), "
          "pg_last_wal_replay_lsn(), pg_is_in_recovery()"));
  if (!rows.boolean(0, 3)) return Error{ErrorKind::busy, "the source is being promoted"};
  FRESHET_TRY(snapshot_, Snapshot::parse(rows.text(0, 0),
                                         {.before = rows.lsn(0, 1), .after = rows.lsn(0, 2)}));
  return {};
}

// The commit that was being replayed may be seen already. It is replayed once the standby has come
// further, or has come to the end of what its receiver, which then is the only source of WAL, has
// written. Not for long: what it replays may be waiting for our own snapshot to go.
Status SnapshotCoordinator::await_replayed() {
  const auto deadline = std::chrono::steady_clock::now() + kReplayWait;
  while (std::chrono::steady_clock::now() < deadline) {
    FRESHET_TRY(const pg::Rows rows,
                connection_->query(
                    "SELECT r, NOT pg_is_in_recovery() OR r = pg_last_wal_receive_lsn() AND EXISTS "
                    "(SELECT FROM pg_stat_wal_receiver) FROM (SELECT pg_last_wal_replay_lsn() "
                    "OFFSET 0) AS replayed(r)"));
    replayed_ = rows.lsn(0, 0);
    const bool is_at_end = !rows.is_null(0, 1) && rows.boolean(0, 1);
    if (is_at_end || *replayed_ > snapshot_.replayed()->after) return {};
    FRESHET_TRY([[maybe_unused]] const bool is_ready,
                connection_->wait(pg::Ready::read, kReplayPoll));
  }
  return Error{ErrorKind::busy, "the standby did not go on replaying after a snapshot was taken"}
      .fix(
          "see that it streams from its primary (pg_stat_wal_receiver) and that replay is not "
          "paused; a standby fed from an archive alone can be copied only while it replays");
}

// LOCK takes no snapshot; the first query afterwards does, and sees the heaps as they are locked. A
// lock is waited for while no other is held: who locks some of these tables in one transaction
// would be waiting for us. It is kept while the others are tried.
Status SnapshotCoordinator::lock_all(std::span<const CopyTable> tables) {
  FRESHET_TRY(connection_->execute(std::string{kBeginRead} + "; SAVEPOINT freshet_locks"));
  while (true) {
    FRESHET_TRY(const std::optional<TablesHeap> awaited,
                lock_without_waiting(*connection_, tables));
    if (!awaited) return {};
    FRESHET_TRY(connection_->execute("ROLLBACK TO SAVEPOINT freshet_locks"));
    Status locked = lock_heap(*connection_, awaited->heap);
    if (!locked.ok()) return naming(std::move(locked).error(), awaited->table.schema->name);
  }
}

// The snapshot stays. What happens to the heaps from now on is found by whoever reads them.
Status SnapshotCoordinator::unlock_all() {
  return connection_->execute(
      "ROLLBACK TO SAVEPOINT freshet_locks; RELEASE SAVEPOINT freshet_locks");
}

Result<std::unique_ptr<SnapshotCoordinator>> SnapshotCoordinator::import(
    const pg::ConnectOptions& options,
    const std::string& system_identifier,
    const std::string& snapshot_name) {
  FRESHET_TRY(auto connection, pg::Connection::open(options));
  std::unique_ptr<SnapshotCoordinator> coordinator{
      new SnapshotCoordinator(std::move(connection), system_identifier)};
  FRESHET_TRY(import_snapshot(*coordinator->connection_, snapshot_name));
  FRESHET_TRY(check_server(*coordinator->connection_, system_identifier));
  FRESHET_TRY(coordinator->load_snapshot());
  FRESHET_TRY(coordinator->export_snapshot());
  return coordinator;
}

Result<std::unique_ptr<SnapshotCoordinator>> SnapshotCoordinator::take(
    const pg::ConnectOptions& options,
    const std::string& system_identifier,
    std::span<CopyTable> tables,
    const SnapshotGate& gate,
    const StandStill& stand_still) {
  FRESHET_TRY(auto connection, pg::Connection::open(options));
  std::unique_ptr<SnapshotCoordinator> coordinator{
      new SnapshotCoordinator(std::move(connection), system_identifier)};
  pg::Connection& session = *coordinator->connection_;
  FRESHET_TRY(auto before, load_tables(session, names_of(tables)));
  for (std::size_t i = 0; i < tables.size(); ++i)
    tables[i].heaps = std::move(before[i].heaps);
  FRESHET_TRY(const bool is_standby, is_in_recovery(session));
  if (!is_standby) FRESHET_TRY(coordinator->lock_all(tables));
  bool is_let_in = false;
  const auto ask = [&]() -> Status {
    FRESHET_TRY(is_standby ? coordinator->take_on_standby() : coordinator->load_snapshot());
    is_let_in = gate(coordinator->snapshot());
    return {};
  };
  // A primary's heaps are locked: whoever stood still there might be waiting for those locks.
  FRESHET_TRY(is_standby ? stand_still(ask) : ask());
  if (!is_let_in) return std::unique_ptr<SnapshotCoordinator>{};
  if (is_standby) FRESHET_TRY(coordinator->await_replayed());
  FRESHET_TRY(is_standby ? check_same_server(session, system_identifier)
                         : check_server(session, system_identifier));
  FRESHET_TRY(const auto now, load_heaps(session, relations_of(tables)));
  for (std::size_t i = 0; i < tables.size(); ++i) {
    FRESHET_TRY(is_standby ? check_same_files(tables[i], now[i])
                           : check_same_heaps(tables[i].heaps, now[i], tables[i]));
    for (Heap& heap : tables[i].heaps)
      heap.relfilenode = find_heap(now[i], heap.relation)->relfilenode;
  }
  if (is_standby) return coordinator;
  FRESHET_TRY(coordinator->unlock_all());
  FRESHET_TRY(coordinator->export_snapshot());
  return coordinator;
}

Result<std::vector<Status>> SnapshotCoordinator::check_heaps(std::span<const CopyTable> tables) {
  FRESHET_TRY(const auto now, load_heaps(*connection_, relations_of(tables)));
  std::vector<Status> checked;
  for (std::size_t i = 0; i < tables.size(); ++i)
    checked.push_back(check_same_files(tables[i], now[i]));
  return checked;
}

Result<RangeResult> copy_range(pg::Connection& connection,
                               const RangeRequest& request,
                               const ChunkSink& sink) {
  const Heap& heap = request.range->heap;
  RangeResult result;
  {
    ReadTransaction transaction{connection};
    FRESHET_TRY(request.replayed ? transaction.begin_within()
                                 : transaction.begin(request.snapshot_name));
    FRESHET_TRY(lock_heap(connection, heap));
    if (request.on_locked) request.on_locked();
    // A standby's snapshot stays what it is when the standby is promoted.
    FRESHET_TRY(request.replayed ? check_same_server(connection, request.system_identifier)
                                 : check_server(connection, request.system_identifier));
    FRESHET_TRY(check_heap(connection, heap));
    FRESHET_TRY(check_columns(connection, *request.table, heap));
    FRESHET_TRY(result, copy_rows(connection, *request.table, heap, page_condition(*request.range),
                                  request.format, sink));
  }
  if (request.replayed) {
    result.read_upto = *request.replayed;
    return result;
  }
  FRESHET_TRY(const pg::Rows rows, connection.query("SELECT pg_current_wal_insert_lsn()"));
  result.read_upto = rows.lsn(0, 0);
  return result;
}

}  // namespace freshet::source
