#include "state/postgres/stored_rows.h"

#include <string_view>
#include <utility>

#include "base/sql_quote.h"
#include "base/try.h"
#include "pg/sqlstate.h"
#include "state/postgres/sql.h"
#include "types/schema_json.h"

namespace freshet::stored_rows {
namespace {

using Text = std::optional<std::string_view>;

Result<pg::Rows> query(pg::Connection& connection,
                       std::string_view sql,
                       const std::string& pipeline) {
  const Text parameter{pipeline};
  return connection.query(sql, {&parameter, 1});
}

Error damaged_row(const std::string& pipeline, std::string_view what) {
  return Error{ErrorKind::storage, "a row of the state cannot be read"}
      .with("pipeline", pipeline)
      .with("row", what)
      .fix("DELETE FROM freshet_state.pipeline WHERE name = " + quote_literal(pipeline) +
           "; and start again: no row is lost, progress is found at the destination, and a table "
           "not recorded as streaming there is copied again");
}

TableSchema read_schema(const pg::Rows& rows, int row) {
  TableSchema schema;
  schema.name = {.schema = rows.string(row, 1), .table = rows.string(row, 2)};
  schema.relation = rows.oid(row, 3);
  schema.identity = ReplicaIdentity{rows.text(row, 4).front()};
  schema.version = rows.unsigned_integer(row, 5);
  schema.definition = rows.string(row, 6);
  schema.files = rows.string(row, 7);
  return schema;
}

}  // namespace

Result<std::optional<LeaseRow>> load_lease(pg::Connection& connection,
                                           const std::string& pipeline) {
  FRESHET_TRY(const pg::Rows rows, query(connection, sql::kSqlLoadPipeline, pipeline));
  if (rows.rows() == 0) return std::optional<LeaseRow>{};
  LeaseRow row;
  row.epoch = rows.unsigned_integer(0, 0);
  if (!rows.is_null(0, 1)) {
    row.holder = LeaseHolder{
        .holder = {.host = rows.string(0, 1), .pid = static_cast<long>(rows.integer(0, 2))},
        .process = rows.string(0, 3),
        .renewed_at_ms = rows.integer(0, 4)};
  }
  row.now_ms = rows.integer(0, 5);
  row.renewed_at = rows.string(0, 6);
  if (!rows.is_null(0, 7)) row.publication = rows.string(0, 7);
  return std::optional<LeaseRow>{std::move(row)};
}

Status load_slot(pg::Connection& connection, const std::string& pipeline, StoredPipeline& into) {
  FRESHET_TRY(const pg::Rows rows, query(connection, sql::kSqlLoadSlot, pipeline));
  if (rows.rows() == 0) return ok_status();
  into.slot = SlotIdentity{.system_identifier = rows.string(0, 0),
                           .timeline = static_cast<std::uint32_t>(rows.unsigned_integer(0, 1)),
                           .slot_name = rows.string(0, 2),
                           .consistent_point = rows.lsn(0, 3),
                           .epoch = rows.string(0, 4)};
  return ok_status();
}

Status load_watched(pg::Connection& connection, const std::string& pipeline, StoredPipeline& into) {
  FRESHET_TRY(const pg::Rows rows, query(connection, sql::kSqlLoadWatched, pipeline));
  if (rows.rows() > 0) into.watched = rows.string(0, 0);
  return ok_status();
}

Status load_positions(pg::Connection& connection,
                      const std::string& pipeline,
                      StoredPipeline& into) {
  FRESHET_TRY(const pg::Rows rows, query(connection, sql::kSqlLoadPositions, pipeline));
  for (int row = 0; row < rows.rows(); ++row)
    into.positions.push_back({.destination = rows.string(row, 0), .position = {rows.lsn(row, 1)}});
  return ok_status();
}

Status load_tables(pg::Connection& connection, const std::string& pipeline, StoredPipeline& into) {
  FRESHET_TRY(const pg::Rows rows, query(connection, sql::kSqlLoadTables, pipeline));
  for (int row = 0; row < rows.rows(); ++row) {
    const std::optional<TablePhase> phase = parse_table_phase(rows.text(row, 3));
    if (!phase) return damaged_row(pipeline, "table_state");
    into.tables.push_back({.destination = rows.string(row, 0),
                           .table = {.schema = rows.string(row, 1), .table = rows.string(row, 2)},
                           .phase = *phase,
                           .reason = rows.string(row, 4)});
  }
  return ok_status();
}

Status load_schemas(pg::Connection& connection, const std::string& pipeline, StoredPipeline& into) {
  FRESHET_TRY(const pg::Rows rows, query(connection, sql::kSqlLoadSchemas, pipeline));
  for (int row = 0; row < rows.rows(); ++row) {
    FollowedSchema followed{.destination = rows.string(row, 0), .schema = read_schema(rows, row)};
    auto columns = parse_columns(rows.text(row, 8));
    if (!columns) return damaged_row(pipeline, "table_schema");
    followed.schema.columns = *std::move(columns);
    into.schemas.push_back(std::move(followed));
  }
  return ok_status();
}

Result<std::vector<WishedTable>> load_wishes(pg::Connection& connection,
                                             const std::string& pipeline) {
  FRESHET_TRY(const pg::Rows rows, query(connection, sql::kSqlLoadWishes, pipeline));
  std::vector<WishedTable> wishes;
  for (int row = 0; row < rows.rows(); ++row) {
    const std::optional<TableWish> wish = parse_table_wish(rows.text(row, 2));
    if (!wish) return damaged_row(pipeline, "table_wish");
    wishes.push_back(
        {.table = {.schema = rows.string(row, 0), .table = rows.string(row, 1)}, .wish = *wish});
  }
  return wishes;
}

}  // namespace freshet::stored_rows
