#include "source/snapshot_copy.h"

#include <algorithm>

#include "base/sql_quote.h"
#include "base/try.h"
#include "pg/sqlstate.h"
#include "source/slot.h"

namespace freshet::source {
namespace {

/// Repeatable read: one snapshot for all that follows. What is locked first is seen as it is.
constexpr std::string_view kBegin =
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY NOT DEFERRABLE";

/// Snapshots die with the session that exported them.
Error import_error(const Error& error) {
  const bool is_gone =
      error.sqlstate() == "22023" || error.sqlstate() == pg::sqlstate::kUndefinedObject;
  if (!is_gone) return error;
  return Error{ErrorKind::connection, "the exported snapshot is gone: its session has ended"}
      .sqlstate(error.sqlstate())
      .with("reason", "snapshot_gone");
}

Status import_snapshot(pg::Connection& connection, const std::string& name) {
  const Status imported =
      connection.execute(std::string{kBegin} + "; SET TRANSACTION SNAPSHOT " + quote_literal(name));
  return imported.ok() ? Status{} : Status{import_error(imported.error())};
}

/// Ends a worker's transaction; a failure to do so means the connection is lost, and it with it.
class ReadTransaction {
 public:
  explicit ReadTransaction(pg::Connection& connection) : connection_(connection) {}

  ReadTransaction(const ReadTransaction&) = delete;
  ReadTransaction& operator=(const ReadTransaction&) = delete;

  ~ReadTransaction() {
    if (is_open_) [[maybe_unused]]
      const Status ended = connection_.execute("ROLLBACK");
  }

  Status begin(const std::string& snapshot_name) {
    is_open_ = true;
    return import_snapshot(connection_, snapshot_name);
  }

 private:
  pg::Connection& connection_;
  bool is_open_ = false;
};

/// Snapshots tell of transactions on the primary only, and of this server's only.
Status check_server(pg::Connection& connection, const std::string& system_identifier) {
  FRESHET_TRY(const pg::Rows rows,
              connection.query("SELECT pg_is_in_recovery(), system_identifier::text FROM "
                               "pg_control_system()"));
  if (rows.boolean(0, 0)) {
    return Error{ErrorKind::gap, "the source became a standby: a copy there would miss rows"}.fix(
        "point the source's url at the primary");
  }
  if (rows.text(0, 1) == system_identifier) return {};
  return Error{ErrorKind::gap, "this is another server than the one that is streamed from"}
      .with("then", system_identifier)
      .with("now", rows.text(0, 1));
}

std::string lock_sql(const Heap& heap) {
  return "LOCK TABLE ONLY " + quote_identifier(heap.name) + " IN ACCESS SHARE MODE";
}

Error rewritten(const TableName& name) {
  return Error{ErrorKind::schema, "the table was rewritten, truncated or dropped during its copy"}
      .with("table", to_string(name))
      .with("reason", "rewritten");
}

/// A failure to lock means a heap that is gone, unless the connection is to blame.
Error lock_error(const Error& error, const Heap& heap) {
  const bool is_gone =
      error.sqlstate() == pg::sqlstate::kUndefinedTable || error.sqlstate() == "3F000";
  return is_gone ? rewritten(heap.name) : error;
}

/// Under the lock nobody can rewrite the heap; that it is still the recorded one decides whether
/// the snapshot's view of it can be trusted.
Status check_heap(pg::Connection& connection, const Heap& heap) {
  const std::string name = quote_literal(quote_identifier(heap.name)) + "::regclass";
  FRESHET_TRY(const pg::Rows rows,
              connection.query("SELECT " + name + "::oid, pg_relation_filenode(" + name + ")"));
  const bool is_same = rows.unsigned_integer(0, 0) == to_integer(heap.relation) &&
                       rows.unsigned_integer(0, 1) == heap.relfilenode;
  return is_same ? Status{} : Status{rewritten(heap.name)};
}

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

Status lock_heaps(pg::Connection& connection, const CopyTable& table) {
  for (const Heap& heap : table.heaps) {
    const Status locked = heap.is_foreign ? Status{} : connection.execute(lock_sql(heap));
    if (!locked.ok()) return lock_error(locked.error(), heap);
  }
  return {};
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

std::string copy_sql(const RangeRequest& request) {
  const CopyTable& table = *request.table;
  std::string columns;
  for (const Column& column : table.schema->columns) {
    if (column.is_derived) continue;
    columns += (columns.empty() ? "" : ", ") + quote_identifier(column.name);
  }
  std::string where = page_condition(*request.range);
  if (!table.where.empty()) {
    where += (where.empty() ? "(" : " AND (") + table.where + "\n)";
  }
  // An alias lets `where` name the table although a leaf of another name is read.
  return "COPY (SELECT " + columns + " FROM ONLY " + quote_identifier(request.range->heap.name) +
         " AS " + quote_identifier(table.schema->name.table) +
         (where.empty() ? "" : " WHERE " + where) + ") TO STDOUT" +
         (request.format == CopyFormat::binary ? " (FORMAT binary)" : "");
}

/// Hands the COPY's rows to the sink in chunks of whole rows.
Status pump(pg::Connection& connection, const ChunkSink& sink, RangeResult& result) {
  std::string chunk;
  chunk.reserve(kCopyChunkBytes + kCopyChunkBytes / 4);
  for (;;) {
    FRESHET_TRY(const auto row, connection.next_copy_chunk());
    if (!row) break;
    chunk += *row;
    if (chunk.size() < kCopyChunkBytes) continue;
    result.bytes += chunk.size();
    Status taken = sink(chunk);
    if (!taken.ok()) {
      FRESHET_TRY(connection.abort_copy_out());
      return taken;
    }
    chunk.clear();
  }
  result.bytes += chunk.size();
  return chunk.empty() ? Status{} : sink(chunk);
}

Error data_error(Error error, const CopyTable& table) {
  error.add("table", to_string(table.schema->name));
  return error;
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
  FRESHET_TRY(check_server(*connection_, system_identifier_));
  FRESHET_TRY(const pg::Rows rows,
              connection_->query("SELECT pg_current_snapshot(), pg_export_snapshot()"));
  FRESHET_TRY(snapshot_, Snapshot::parse(rows.text(0, 0)));
  snapshot_name_ = rows.text(0, 1);
  return {};
}

Result<std::unique_ptr<SnapshotCoordinator>> SnapshotCoordinator::import(
    const pg::ConnectOptions& options,
    const std::string& system_identifier,
    const std::string& snapshot_name) {
  FRESHET_TRY(auto connection, pg::Connection::open(options));
  std::unique_ptr<SnapshotCoordinator> coordinator{
      new SnapshotCoordinator(std::move(connection), system_identifier)};
  FRESHET_TRY(import_snapshot(*coordinator->connection_, snapshot_name));
  FRESHET_TRY(coordinator->export_snapshot());
  return coordinator;
}

Result<std::unique_ptr<SnapshotCoordinator>> SnapshotCoordinator::take(
    const pg::ConnectOptions& options,
    const std::string& system_identifier,
    std::span<CopyTable> tables) {
  FRESHET_TRY(auto connection, pg::Connection::open(options));
  std::unique_ptr<SnapshotCoordinator> coordinator{
      new SnapshotCoordinator(std::move(connection), system_identifier)};
  pg::Connection& session = *coordinator->connection_;
  for (CopyTable& table : tables) {
    FRESHET_TRY(CatalogTable before, load_table(session, table.schema->name));
    table.heaps = std::move(before.heaps);
  }
  // LOCK takes no snapshot; the first query below does, and sees the heaps as they are locked.
  FRESHET_TRY(session.execute(kBegin));
  for (const CopyTable& table : tables)
    FRESHET_TRY(lock_heaps(session, table));
  FRESHET_TRY(coordinator->export_snapshot());
  for (CopyTable& table : tables) {
    FRESHET_TRY(CatalogTable now, load_table(session, table.schema->name));
    FRESHET_TRY(check_same_heaps(table.heaps, now.heaps, table));
    table.heaps = std::move(now.heaps);
  }
  return coordinator;
}

Status SnapshotCoordinator::check_heaps(const CopyTable& table) {
  FRESHET_TRY(const CatalogTable now, load_table(*connection_, table.schema->name));
  FRESHET_TRY(check_same_heaps(table.heaps, now.heaps, table));
  for (const Heap& heap : now.heaps) {
    const auto then = find_heap(table.heaps, heap.relation);
    if (then->relfilenode != heap.relfilenode) return rewritten(heap.name);
  }
  return {};
}

Status SnapshotCoordinator::check() {
  return connection_->execute("SELECT 1");
}

Result<RangeResult> copy_range(pg::Connection& connection,
                               const RangeRequest& request,
                               const ChunkSink& sink) {
  const Heap& heap = request.range->heap;
  RangeResult result;
  {
    ReadTransaction transaction{connection};
    FRESHET_TRY(transaction.begin(request.snapshot_name));
    const Status locked = connection.execute(lock_sql(heap));
    if (!locked.ok()) return lock_error(locked.error(), heap);
    FRESHET_TRY(check_server(connection, request.system_identifier));
    FRESHET_TRY(check_heap(connection, heap));
    const Status started = connection.start_copy_out(copy_sql(request));
    if (!started.ok()) return data_error(started.error(), *request.table);
    FRESHET_TRY(pump(connection, sink, result));
    result.rows = connection.copied_rows();
  }
  FRESHET_TRY(const pg::Rows rows, connection.query("SELECT pg_current_wal_insert_lsn()"));
  result.read_upto = rows.lsn(0, 0);
  return result;
}

bool is_rewritten(const Error& error) {
  return error.kind() == ErrorKind::schema && error.find("reason") == "rewritten";
}

}  // namespace freshet::source
