#include "source/chunk_copy.h"

#include "base/sql_quote.h"
#include "base/try.h"
#include "source/catalog.h"
#include "source/table_read.h"

namespace freshet::source {
namespace {

Status check_definition(pg::Connection& connection, const TableSchema& planned) {
  FRESHET_TRY(const auto now, load_schemas(connection, {&planned.name, 1}));
  return is_same_shape(planned, now.front()) ? ok_status() : Status{redefined(planned.name)};
}

}  // namespace

// What the snapshot saw may not have reached the source's disk (synchronous_commit = off, or a
// commit that waits for a standby): a crash would undo it, and use its xids again. The commit of a
// transaction that wrote WAL flushes all that came before; it need not wait for standbys.
Result<Lsn> flush_source(pg::Connection& connection) {
  FRESHET_TRY(connection.execute("BEGIN READ WRITE; SET LOCAL synchronous_commit = local"));
  auto rows = connection.query(
      "SELECT pg_catalog.pg_current_wal_insert_lsn(), "
      "pg_catalog.pg_logical_emit_message(true, 'freshet', 'chunk')");
  FRESHET_TRY(connection.execute(rows.ok() ? "COMMIT" : "ROLLBACK"));
  if (!rows.ok()) return std::move(rows).error();
  return rows->lsn(0, 0);
}

Result<std::vector<std::string>> find_chunk_end(pg::Connection& connection,
                                                const Heap& heap,
                                                const KeyBounds& bounds,
                                                std::uint64_t rows) {
  std::string texts;
  std::string order;
  // Qualified: ORDER BY would take a bare name for the text that is returned, and sort by that.
  for (const std::string& column : bounds.columns) {
    const std::string name = "of_table." + quote_identifier(column);
    texts += (texts.empty() ? "" : ", ") + name + "::text";
    order += (order.empty() ? "" : ", ") + name;
  }
  FRESHET_TRY(const pg::Rows found,
              connection.query("SELECT " + texts + " FROM ONLY " + quote_identifier(heap.name) +
                               " AS of_table WHERE " + key_condition(bounds) + " ORDER BY " +
                               order + " OFFSET " + std::to_string(rows) + " LIMIT 1"));
  std::vector<std::string> end;
  for (std::size_t i = 0; found.rows() == 1 && i < bounds.columns.size(); ++i)
    end.push_back(found.string(0, static_cast<int>(i)));
  return end;
}

Result<std::optional<RangeResult>> copy_chunk(pg::Connection& connection,
                                              const ChunkRequest& request,
                                              const SnapshotGate& gate,
                                              const ChunkSink& sink) {
  const Heap& heap = request.table->heaps.front();
  RangeResult result;
  {
    ReadTransaction transaction{connection};
    FRESHET_TRY(transaction.begin({}));
    FRESHET_TRY(lock_heap(connection, heap));
    // At once: what a busy table's stream brings between snapshot and gate makes it say no.
    FRESHET_TRY(const pg::Rows rows, connection.query("SELECT pg_catalog.pg_current_snapshot()"));
    FRESHET_TRY(const Snapshot snapshot, Snapshot::parse(rows.text(0, 0)));
    if (!gate(snapshot)) return std::optional<RangeResult>{};
    FRESHET_TRY(check_server(connection, request.system_identifier));
    FRESHET_TRY(check_heap(connection, heap));
    FRESHET_TRY(check_definition(connection, *request.planned));
    FRESHET_TRY(result, copy_rows(connection, *request.table, heap, key_condition(request.bounds),
                                  CopyFormat::text, sink));
  }
  FRESHET_TRY(result.read_upto, flush_source(connection));
  return std::optional<RangeResult>{result};
}

}  // namespace freshet::source
