#include "state/postgres/stored_rows.h"

#include <memory>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/sql_quote.h"
#include "base/try.h"
#include "pg/sqlstate.h"
#include "state/postgres/sql.h"

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

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    hex += kDigits[value >> 4U];
    hex += kDigits[value & 15U];
  }
  return hex;
}

std::optional<std::string> from_hex(std::string_view hex) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  if (hex.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  for (std::size_t at = 0; at < hex.size(); at += 2) {
    const std::size_t high = kDigits.find(hex[at]);
    const std::size_t low = kDigits.find(hex[at + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

TableSchema read_schema(const pg::Rows& rows, int row) {
  TableSchema schema;
  schema.name = {.schema = rows.string(row, 0), .table = rows.string(row, 1)};
  schema.relation = rows.oid(row, 2);
  schema.identity = ReplicaIdentity{rows.text(row, 3).front()};
  schema.version = rows.unsigned_integer(row, 4);
  schema.definition = rows.string(row, 5);
  schema.files = rows.string(row, 6);
  return schema;
}

// Nothing if the missing value is not what was written.
std::optional<Column> read_column(const pg::Rows& rows, int row) {
  Column column;
  column.name = rows.string(row, 8);
  column.type = rows.oid(row, 9);
  column.typmod = static_cast<std::int32_t>(rows.integer(row, 10));
  column.type_sql = rows.string(row, 11);
  column.attnum = static_cast<std::int16_t>(rows.integer(row, 12));
  column.is_not_null = rows.boolean(row, 13);
  column.is_identity = rows.boolean(row, 14);
  column.primary_key_place = static_cast<std::int16_t>(rows.integer(row, 15));
  column.is_derived = rows.boolean(row, 16);
  column.is_builtin_type = rows.boolean(row, 17);
  column.is_byte_comparable = rows.boolean(row, 18);
  if (rows.is_null(row, 19)) return column;
  auto missing = from_hex(rows.text(row, 19));
  if (!missing) return std::nullopt;
  column.missing_value = std::make_shared<const std::string>(*std::move(missing));
  return column;
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
    const bool is_same_table = !into.schemas.empty() &&
                               into.schemas.back().name.schema == rows.text(row, 0) &&
                               into.schemas.back().name.table == rows.text(row, 1);
    if (!is_same_table) into.schemas.push_back(read_schema(rows, row));
    if (rows.is_null(row, 7)) continue;
    std::optional<Column> column = read_column(rows, row);
    if (!column) return damaged_row(pipeline, "table_schema");
    into.schemas.back().columns.push_back(*std::move(column));
  }
  return ok_status();
}

Result<std::vector<WishedTable>> load_wishes(pg::Connection& connection,
                                             const std::string& pipeline) {
  const auto rows = query(connection, sql::kSqlLoadWishes, pipeline);
  std::vector<WishedTable> wishes;
  if (!rows.ok() && rows.error().sqlstate() == pg::sqlstate::kUndefinedTable) return wishes;
  if (!rows.ok()) return rows.error();
  for (int row = 0; row < rows->rows(); ++row) {
    const std::optional<TableWish> wish = parse_table_wish(rows->text(row, 2));
    if (!wish) return damaged_row(pipeline, "table_wish");
    wishes.push_back(
        {.table = {.schema = rows->string(row, 0), .table = rows->string(row, 1)}, .wish = *wish});
  }
  return wishes;
}

std::string columns_json(const TableSchema& schema) {
  using Json = nlohmann::ordered_json;
  Json columns = Json::array();
  for (const Column& column : schema.columns) {
    columns.push_back(
        {{"name", column.name},
         {"type", to_integer(column.type)},
         {"typmod", column.typmod},
         {"type_sql", column.type_sql},
         {"attnum", column.attnum},
         {"is_not_null", column.is_not_null},
         {"is_identity", column.is_identity},
         {"primary_key_place", column.primary_key_place},
         {"is_derived", column.is_derived},
         {"is_builtin_type", column.is_builtin_type},
         {"is_byte_comparable", column.is_byte_comparable},
         {"missing_value", column.missing_value ? Json(to_hex(*column.missing_value)) : Json()}});
  }
  // A name that is no UTF-8 could not be stored as it is; it then differs from the source's.
  return columns.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace freshet::stored_rows
