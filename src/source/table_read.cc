#include "source/table_read.h"

#include <array>
#include <optional>
#include <vector>

#include "base/sql_quote.h"
#include "base/try.h"
#include "pg/array_literal.h"
#include "pg/sqlstate.h"
#include "source/sql/sql.h"

namespace freshet::source {
namespace {

/// Snapshots die with the session that exported them.
Error import_error(const Error& error) {
  const bool is_gone =
      error.sqlstate() == "22023" || error.sqlstate() == pg::sqlstate::kUndefinedObject;
  if (!is_gone) return error;
  return Error{ErrorKind::connection, "the exported snapshot is gone: its session has ended"}
      .sqlstate(error.sqlstate())
      .with("reason", "snapshot_gone");
}

std::string lock_sql(const Heap& heap) {
  return "LOCK TABLE ONLY " + quote_identifier(heap.name) + " IN ACCESS SHARE MODE";
}

/// A failure to lock means a heap that is gone, unless the connection is to blame.
Error lock_error(const Error& error, const Heap& heap) {
  const bool is_gone = error.sqlstate() == pg::sqlstate::kUndefinedTable ||
                       error.sqlstate() == pg::sqlstate::kUndefinedSchema;
  return is_gone ? rewritten(heap.name) : error;
}

std::string copy_sql(const CopyTable& table,
                     const Heap& heap,
                     const std::string& condition,
                     CopyFormat format) {
  std::string columns;
  for (const Column& column : table.schema->columns) {
    if (column.is_derived) continue;
    columns += (columns.empty() ? "" : ", ") + quote_identifier(column.name);
  }
  std::string where = condition;
  if (!table.where.empty()) {
    where += (where.empty() ? "(" : " AND (") + table.where + "\n)";
  }
  // An alias lets `where` name the table although a leaf of another name is read.
  return "COPY (SELECT " + columns + " FROM ONLY " + quote_identifier(heap.name) + " AS " +
         quote_identifier(table.schema->name.table) + (where.empty() ? "" : " WHERE " + where) +
         ") TO STDOUT" + (format == CopyFormat::binary ? " (FORMAT binary)" : "");
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

}  // namespace

Status import_snapshot(pg::Connection& connection, const std::string& name) {
  const Status imported =
      connection.execute(std::string{kBeginRead} + "; SET TRANSACTION SNAPSHOT " +
                         quote_literal(name) + "; SET LOCAL lock_timeout = '10s'");
  return imported.ok() ? Status{} : Status{import_error(imported.error())};
}

ReadTransaction::~ReadTransaction() {
  if (end_ != nullptr) [[maybe_unused]]
    const Status ended = connection_.execute(end_);
}

Status ReadTransaction::begin(const std::string& snapshot_name) {
  end_ = "ROLLBACK";
  if (!snapshot_name.empty()) return import_snapshot(connection_, snapshot_name);
  return connection_.execute(kBeginRead);
}

Status ReadTransaction::begin_within() {
  end_ = "ROLLBACK TO SAVEPOINT freshet_range; RELEASE SAVEPOINT freshet_range";
  // On a standby whoever waits for a lock may be what holds up the replay that frees it.
  return connection_.execute("SAVEPOINT freshet_range; SET LOCAL lock_timeout = '5s'");
}

Result<bool> is_in_recovery(pg::Connection& connection) {
  FRESHET_TRY(const pg::Rows rows, connection.query("SELECT pg_is_in_recovery()"));
  return rows.boolean(0, 0);
}

Status check_server(pg::Connection& connection, const std::string& system_identifier) {
  FRESHET_TRY(const bool is_standby, is_in_recovery(connection));
  if (is_standby) {
    return Error{ErrorKind::gap, "the source became a standby: the copy would miss rows"}.fix(
        "point the source's url at the primary");
  }
  return check_same_server(connection, system_identifier);
}

Status check_same_server(pg::Connection& connection, const std::string& system_identifier) {
  FRESHET_TRY(const pg::Rows rows,
              connection.query("SELECT system_identifier::text FROM pg_control_system()"));
  if (rows.text(0, 0) == system_identifier) return {};
  return Error{ErrorKind::gap, "this is another server than the one that is streamed from"}
      .with("then", system_identifier)
      .with("now", rows.text(0, 0));
}

Status lock_heap(pg::Connection& connection, const Heap& heap) {
  const Status locked = connection.execute(lock_sql(heap));
  return locked.ok() ? locked : Status{lock_error(locked.error(), heap)};
}

Result<bool> try_lock_heap(pg::Connection& connection, const Heap& heap) {
  const Status locked = connection.execute(lock_sql(heap) + " NOWAIT");
  if (locked.ok()) return true;
  if (locked.error().sqlstate() == pg::sqlstate::kLockNotAvailable) return false;
  return lock_error(locked.error(), heap);
}

Status check_heap(pg::Connection& connection, const Heap& heap) {
  const std::string name = quote_literal(quote_identifier(heap.name)) + "::regclass";
  FRESHET_TRY(const pg::Rows rows,
              connection.query("SELECT " + name + "::oid, pg_relation_filenode(" + name + ")"));
  const bool is_same = rows.unsigned_integer(0, 0) == to_integer(heap.relation) &&
                       rows.unsigned_integer(0, 1) == heap.relfilenode;
  return is_same ? Status{} : Status{rewritten(heap.name)};
}

// The transaction's snapshot may be older than what stands now in the catalogue's tables; what a
// function says, and what it makes of a query, does not depend on it.
Status check_columns(pg::Connection& connection, const CopyTable& table, const Heap& heap) {
  FRESHET_TRY(const std::vector<std::string> names, load_present_names(connection, *table.schema));
  std::string wanted;
  std::vector<const Column*> columns;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Column& column = table.schema->columns[i];
    if (column.is_derived) continue;
    if (names[i] != column.name) return rewritten(table.schema->name);
    wanted += (wanted.empty() ? "" : ", ") + ("pg_typeof((NULL::" + quote_identifier(heap.name)) +
              ")." + quote_identifier(column.name) + ")::oid";
    columns.push_back(&column);
  }
  // Of an expression: a result's description has a domain's base type instead.
  FRESHET_TRY(const pg::Rows types, connection.query("SELECT " + wanted));
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (types.oid(0, static_cast<int>(i)) != columns[i]->type) return redefined(table.schema->name);
  }
  return {};
}

Error rewritten(const TableName& name) {
  return Error{ErrorKind::schema, "the table was rewritten, truncated or dropped during its copy"}
      .with("table", to_string(name))
      .with("reason", "rewritten");
}

Error redefined(const TableName& name) {
  return Error{ErrorKind::schema, "the table's columns changed during its copy"}
      .with("table", to_string(name))
      .with("reason", "redefined");
}

Error stale_plan(const TableName& name, std::string message) {
  return Error{ErrorKind::busy, std::move(message)}
      .with("table", to_string(name))
      .with("reason", "stale_plan");
}

bool is_stale_plan(const Error& error) {
  return error.kind() == ErrorKind::busy && error.find("reason") == "stale_plan";
}

bool is_rewritten(const Error& error) {
  return error.kind() == ErrorKind::schema && error.find("reason") == "rewritten";
}

bool is_changed_table(const Error& error) {
  const bool is_redefined =
      error.kind() == ErrorKind::schema && error.find("reason") == "redefined";
  return is_rewritten(error) || is_redefined ||
         error.sqlstate() == pg::sqlstate::kUndefinedColumn ||
         error.sqlstate() == pg::sqlstate::kUndefinedTable ||
         error.sqlstate() == pg::sqlstate::kUndefinedSchema;
}

Result<std::vector<std::string>> load_present_names(pg::Connection& connection,
                                                    const TableSchema& schema) {
  const std::string relation = std::to_string(to_integer(schema.relation));
  const std::string attnums =
      pg::integer_array_literal(schema.columns, [](const Column& column) { return column.attnum; });
  const std::array<std::optional<std::string_view>, 2> parameters{relation, attnums};
  FRESHET_TRY(const pg::Rows rows, connection.query(sql::kSqlColumnNames, parameters));
  std::vector<std::string> names;
  for (int row = 0; row < rows.rows(); ++row)
    names.push_back(rows.is_null(row, 0) ? std::string{} : rows.string(row, 0));
  return names;
}

bool is_server_fault(const Error& error) {
  const std::string_view sqlstate = error.sqlstate();
  return error.find("destination").empty() &&
         (sqlstate.starts_with("XX") || sqlstate.starts_with("58"));
}

Error damaged(const Error& error) {
  Error damage{ErrorKind::data, "the source cannot read its table: " + error.message()};
  for (const auto& [key, value] : error.context())
    damage.add(key, value);
  return std::move(damage)
      .sqlstate(error.sqlstate())
      .fix("mend the table at the source, whose log tells more; then `freshet table resync`");
}

Result<RangeResult> copy_rows(pg::Connection& connection,
                              const CopyTable& table,
                              const Heap& heap,
                              const std::string& condition,
                              CopyFormat format,
                              const ChunkSink& sink) {
  RangeResult result;
  const Status started = connection.start_copy_out(copy_sql(table, heap, condition, format));
  if (!started.ok()) {
    const TableName& name = table.schema->name;
    // The table's own columns have been looked at.
    if (started.error().sqlstate() == pg::sqlstate::kUndefinedColumn) {
      return stale_plan(name, "a condition on the rows names a column that is not there")
          .with("server", started.error().message());
    }
    Error error = started.error();
    error.add("table", to_string(name));
    return error;
  }
  FRESHET_TRY(pump(connection, sink, result));
  result.rows = connection.copied_rows();
  return result;
}

}  // namespace freshet::source
