#include "source/row_reread.h"

#include <algorithm>

#include "base/sql_quote.h"
#include "base/try.h"
#include "pg/array_literal.h"
#include "source/chunk_copy.h"
#include "source/table_read.h"
#include "types/primary_key.h"
#include "types/whole_row.h"

namespace freshet::source {
namespace {

// Values are large, or they would have been sent: so many rows are in memory twice for a moment.
constexpr std::size_t kRowsPerQuery = 100;

/// Those that some row lacks.
std::vector<std::uint16_t> wanted_columns(const RereadRequest& request) {
  std::vector<std::uint16_t> columns;
  for (std::size_t i = 0; i < request.schema->columns.size(); ++i) {
    const bool is_wanted = std::any_of(request.rows.begin(), request.rows.end(),
                                       [&](RowView row) { return row[i].is_unchanged(); });
    if (is_wanted) columns.push_back(static_cast<std::uint16_t>(i));
  }
  return columns;
}

Status check_rows(const RereadRequest& request, std::span<const std::uint16_t> key) {
  for (const RowView row : request.rows) {
    const bool has_key = !key.empty() && std::all_of(key.begin(), key.end(), [&](auto column) {
      return row[column].kind == ValueKind::text;
    });
    if (has_key && !has_binary(row)) continue;
    return Error{ErrorKind::unsupported,
                 has_binary(row) ? "the row came in binary form" : "the row came without its key"};
  }
  return ok_status();
}

std::string table_sql(const RereadRequest& request) {
  return (request.is_partitioned ? "" : "ONLY ") + quote_identifier(request.schema->name);
}

/// What is asked for some rows of the request at a time.
struct Query {
  std::string sql;
  std::vector<std::uint16_t> key;
  std::vector<std::uint16_t> columns;  ///< Those that some row lacks.
};

/// The place of the key, then the wanted columns. The nested loop goes by the identity's index,
/// whatever the server's estimates are.
std::string select_sql(const RereadRequest& request,
                       const Query& query,
                       std::span<const std::string> names) {
  std::string wanted = "freshet_key.place";
  for (const std::uint16_t column : query.columns)
    wanted += ", of_table." + quote_identifier(names[column]);
  std::string arrays;
  std::string parts;
  std::string condition;
  for (std::size_t i = 0; i < query.key.size(); ++i) {
    const std::uint16_t column = query.key[i];
    const std::string number = std::to_string(i + 1);
    arrays += "$" + number + "::text[], ";
    parts += "k" + number + ", ";
    condition += (condition.empty() ? "" : " AND ");
    condition += "of_table." + quote_identifier(names[column]) + " = freshet_key.k" + number +
                 "::" + request.schema->columns[column].type_sql;
  }
  return "SELECT " + wanted + " FROM unnest(" + arrays + "$" +
         std::to_string(query.key.size() + 1) + "::int4[]) AS freshet_key(" + parts +
         "place) JOIN " + table_sql(request) + " AS of_table ON " + condition;
}

/// Begins to read as the copy does: what is locked first is seen as it is. Of a partitioned table
/// several are locked: who alters them in another order must not wait for as long as
/// deadlock_timeout (1 s).
Status begin(pg::Connection& connection, const RereadRequest& request) {
  const TableSchema& schema = *request.schema;
  auto rows = connection.query(
      "SET LOCAL lock_timeout = '500ms'; SET LOCAL enable_hashjoin = off; "
      "SET LOCAL enable_mergejoin = off; LOCK TABLE " +
      table_sql(request) + " IN ACCESS SHARE MODE; SELECT " +
      quote_literal(quote_identifier(schema.name)) + "::regclass::oid");
  if (!rows.ok()) return std::move(rows).error();
  return rows->oid(0, 0) == schema.relation ? ok_status() : Status{rewritten(schema.name)};
}

/// The query for them, once the table is locked.
Status complete(pg::Connection& connection, const RereadRequest& request, Query& query) {
  const TableSchema& schema = *request.schema;
  FRESHET_TRY(const std::vector<std::string> names, load_present_names(connection, schema));
  for (const auto& some : {query.columns, query.key}) {
    const bool has_all = std::none_of(some.begin(), some.end(),
                                      [&](std::uint16_t column) { return names[column].empty(); });
    if (!has_all) return rewritten(schema.name);
  }
  query.sql = select_sql(request, query, names);
  return ok_status();
}

/// Reads some of the rows, from `first` on.
Status read(pg::Connection& connection,
            const RereadRequest& request,
            const Query& query,
            std::size_t first,
            Reread& result,
            Arena& arena) {
  const TableSchema& schema = *request.schema;
  const std::size_t count = std::min(request.rows.size() - first, kRowsPerQuery);
  const std::vector<std::string> arrays =
      pg::key_array_literals(request.rows.subspan(first, count), query.key, first);
  const std::vector<std::optional<std::string_view>> parameters{arrays.begin(), arrays.end()};
  FRESHET_TRY(const pg::Rows found, connection.query(query.sql, parameters));
  for (int row = 0; row < found.rows(); ++row) {
    const std::size_t place = found.unsigned_integer(row, 0);
    // Its identity is another by now, and tells rows apart no more.
    if (!result.rows[place].empty()) return rewritten(schema.name);
    const std::span<Value> values = arena.array<Value>(schema.columns.size());
    std::copy(request.rows[place].begin(), request.rows[place].end(), values.begin());
    for (std::size_t i = 0; i < query.columns.size(); ++i) {
      Value& value = values[query.columns[i]];
      if (!value.is_unchanged()) continue;
      const auto text = found.find(row, static_cast<int>(i) + 1);
      value = text ? Value::text(arena.copy(*text)) : Value::null();
      result.bytes += value.size;
    }
    result.rows[place] = values;
  }
  return ok_status();
}

}  // namespace

Result<Reread> reread_rows(pg::Connection& connection, const RereadRequest& request, Arena& arena) {
  Query query{.sql = {}, .key = identity_columns(*request.schema), .columns = {}};
  FRESHET_TRY(check_rows(request, query.key));
  query.columns = wanted_columns(request);
  Reread result;
  result.rows.resize(request.rows.size());
  bool is_flushed = false;
  {
    ReadTransaction transaction{connection};
    FRESHET_TRY(transaction.begin({}));
    FRESHET_TRY(begin(connection, request));
    FRESHET_TRY(complete(connection, request, query));
    for (std::size_t first = 0; first < request.rows.size(); first += kRowsPerQuery)
      FRESHET_TRY(read(connection, request, query, first, result, arena));
    // A standby shows a commit before it counts as replayed: there is room for its record.
    FRESHET_TRY(
        const pg::Rows wal,
        connection.query("SELECT i, is_replayed OR pg_catalog.pg_current_wal_flush_lsn() >= i "
                         "FROM (SELECT is_replayed, "
                         "CASE WHEN is_replayed THEN pg_catalog.pg_last_wal_replay_lsn() + 8192 "
                         "ELSE pg_catalog.pg_current_wal_insert_lsn() END AS i "
                         "FROM pg_catalog.pg_is_in_recovery() AS is_replayed) AS upto"));
    result.read_upto = wal.lsn(0, 0);
    is_flushed = wal.boolean(0, 1);
  }
  if (!is_flushed) FRESHET_TRY(flush_source(connection));
  return result;
}

}  // namespace freshet::source
