#include "state/sqlite/rows.h"

#include <initializer_list>
#include <string_view>
#include <utility>

#include "base/try.h"
#include "state/sqlite/sql.h"

namespace freshet::state_rows {
namespace {

// FNV-1a over the fields, each ended by a byte that no text of ours holds.
std::int64_t checksum(std::initializer_list<std::string_view> fields) {
  std::uint64_t hash = 14695981039346656037U;
  const auto add = [&hash](char byte) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 1099511628211U;
  };
  for (const std::string_view field : fields) {
    for (const char byte : field)
      add(byte);
    add('\0');
  }
  return static_cast<std::int64_t>(hash);
}

Error damaged_row(const Database& database, std::string_view what) {
  return Error{ErrorKind::storage, "a row of the state file is damaged"}
      .with("path", database.path())
      .with("row", what)
      .fix(
          "move this file and its -wal and -shm away and start again: no row is lost, progress is "
          "found at the destination, and a table not recorded as streaming there is copied again");
}

std::int64_t slot_checksum(const std::string& pipeline, const SlotIdentity& slot) {
  return checksum({pipeline, slot.system_identifier, std::to_string(slot.timeline), slot.slot_name,
                   to_string(slot.consistent_point), slot.epoch});
}

std::int64_t table_checksum(const std::string& pipeline, const TableState& table) {
  return checksum({pipeline, table.destination, table.table.schema, table.table.table,
                   to_string(table.phase), table.reason});
}

std::int64_t wish_checksum(const std::string& pipeline, const WishedTable& wished) {
  return checksum({pipeline, wished.table.schema, wished.table.table, to_string(wished.wish)});
}

Column read_column(const Statement& row) {
  Column column;
  column.name = row.text(0);
  column.type = Oid{static_cast<std::uint32_t>(row.integer(1))};
  column.typmod = static_cast<std::int32_t>(row.integer(2));
  column.type_sql = row.text(3);
  column.attnum = static_cast<std::int16_t>(row.integer(4));
  column.is_not_null = row.integer(5) != 0;
  column.is_identity = row.integer(6) != 0;
  column.primary_key_place = static_cast<std::int16_t>(row.integer(7));
  column.is_derived = row.integer(8) != 0;
  column.is_builtin_type = row.integer(9) != 0;
  column.is_byte_comparable = row.integer(10) != 0;
  if (!row.is_null(11)) column.missing_value = std::make_shared<const std::string>(row.text(11));
  return column;
}

std::int64_t flag(bool value) {
  return value ? 1 : 0;
}

Status store_column(Database& database,
                    const std::string& pipeline,
                    const FollowedSchema& followed,
                    std::size_t place) {
  FRESHET_TRY(Statement insert, database.prepare(sql::kSqlStoreColumn));
  const TableName& table = followed.schema.name;
  const Column& column = followed.schema.columns[place];
  insert.bind(pipeline).bind(followed.destination).bind(table.schema).bind(table.table);
  insert.bind(static_cast<std::int64_t>(place)).bind(column.name);
  insert.bind(std::int64_t{to_integer(column.type)}).bind(std::int64_t{column.typmod});
  insert.bind(column.type_sql).bind(std::int64_t{column.attnum}).bind(flag(column.is_not_null));
  insert.bind(flag(column.is_identity)).bind(std::int64_t{column.primary_key_place});
  insert.bind(flag(column.is_derived)).bind(flag(column.is_builtin_type));
  insert.bind(flag(column.is_byte_comparable));
  if (column.missing_value) {
    insert.bind(*column.missing_value);
  } else {
    insert.bind_null();
  }
  return insert.run();
}

Status load_columns(Database& database, const std::string& pipeline, FollowedSchema& into) {
  FRESHET_TRY(Statement rows, database.prepare(sql::kSqlLoadColumns));
  const TableName& table = into.schema.name;
  rows.bind(pipeline).bind(into.destination).bind(table.schema).bind(table.table);
  while (true) {
    FRESHET_TRY(const bool has_row, rows.next());
    if (!has_row) return ok_status();
    into.schema.columns.push_back(read_column(rows));
  }
}

}  // namespace

Result<std::optional<LeaseRow>> load_lease(Database& database, const std::string& pipeline) {
  FRESHET_TRY(Statement rows, database.prepare(sql::kSqlLoadPipeline));
  FRESHET_TRY(const bool has_row, rows.bind(pipeline).next());
  if (!has_row) return std::optional<LeaseRow>{};
  LeaseRow row;
  row.epoch = static_cast<std::uint64_t>(rows.integer(0));
  if (!rows.is_null(1)) {
    row.holder =
        LeaseHolder{.holder = {.host = rows.text(1), .pid = static_cast<long>(rows.integer(2))},
                    .process = rows.text(3),
                    .renewed_at_ms = rows.integer(4)};
  }
  if (!rows.is_null(5)) row.publication = rows.text(5);
  return std::optional<LeaseRow>{std::move(row)};
}

Status store_lease(Database& database, const std::string& pipeline, const LeaseRow& row) {
  FRESHET_TRY(Statement counter, database.prepare(sql::kSqlStoreEpochCounter));
  FRESHET_TRY(counter.bind(static_cast<std::int64_t>(row.epoch)).run());
  FRESHET_TRY(Statement take, database.prepare(sql::kSqlTakeLease));
  take.bind(pipeline).bind(static_cast<std::int64_t>(row.epoch)).bind(row.holder->holder.host);
  take.bind(std::int64_t{row.holder->holder.pid}).bind(row.holder->process);
  return take.bind(row.holder->renewed_at_ms).run();
}

Status load_slot(Database& database, const std::string& pipeline, StoredPipeline& into) {
  FRESHET_TRY(Statement rows, database.prepare(sql::kSqlLoadSlot));
  FRESHET_TRY(const bool has_row, rows.bind(pipeline).next());
  if (!has_row) return ok_status();
  SlotIdentity slot;
  slot.system_identifier = rows.text(0);
  slot.timeline = static_cast<std::uint32_t>(rows.integer(1));
  slot.slot_name = rows.text(2);
  const std::optional<Lsn> point = parse_lsn(rows.text(3));
  if (point) slot.consistent_point = *point;
  slot.epoch = rows.text(4);
  if (!point || rows.integer(5) != slot_checksum(pipeline, slot))
    return damaged_row(database, "slot");
  into.slot = std::move(slot);
  return ok_status();
}

Status load_positions(Database& database, const std::string& pipeline, StoredPipeline& into) {
  FRESHET_TRY(Statement rows, database.prepare(sql::kSqlLoadPositions));
  rows.bind(pipeline);
  while (true) {
    FRESHET_TRY(const bool has_row, rows.next());
    if (!has_row) return ok_status();
    const std::string destination = rows.text(0);
    const std::string lsn = rows.text(1);
    const std::optional<Lsn> end = parse_lsn(lsn);
    if (!end || rows.integer(2) != checksum({pipeline, destination, lsn})) {
      return damaged_row(database, "position");
    }
    into.positions.push_back({.destination = destination, .position = {*end}});
  }
}

Status load_tables(Database& database, const std::string& pipeline, StoredPipeline& into) {
  FRESHET_TRY(Statement rows, database.prepare(sql::kSqlLoadTables));
  rows.bind(pipeline);
  while (true) {
    FRESHET_TRY(const bool has_row, rows.next());
    if (!has_row) return ok_status();
    TableState table{.destination = rows.text(0),
                     .table = {.schema = rows.text(1), .table = rows.text(2)},
                     .phase = TablePhase::pending,
                     .reason = rows.text(4)};
    const std::optional<TablePhase> phase = parse_table_phase(rows.text(3));
    if (phase) table.phase = *phase;
    if (!phase || rows.integer(5) != table_checksum(pipeline, table)) {
      return damaged_row(database, "table_state");
    }
    into.tables.push_back(std::move(table));
  }
}

Status load_schemas(Database& database, const std::string& pipeline, StoredPipeline& into) {
  FRESHET_TRY(Statement rows, database.prepare(sql::kSqlLoadSchemas));
  rows.bind(pipeline);
  while (true) {
    FRESHET_TRY(const bool has_row, rows.next());
    if (!has_row) return ok_status();
    FollowedSchema followed{.destination = rows.text(0), .schema = {}};
    TableSchema& schema = followed.schema;
    schema.name = {.schema = rows.text(1), .table = rows.text(2)};
    schema.relation = Oid{static_cast<std::uint32_t>(rows.integer(3))};
    const std::string identity = rows.text(4);
    if (identity.size() != 1 || std::string_view("dnfi").find(identity) == std::string_view::npos) {
      return damaged_row(database, "table_schema");
    }
    schema.identity = ReplicaIdentity{identity.front()};
    schema.version = static_cast<std::uint64_t>(rows.integer(5));
    schema.definition = rows.text(6);
    schema.files = rows.text(7);
    FRESHET_TRY(load_columns(database, pipeline, followed));
    into.schemas.push_back(std::move(followed));
  }
}

Status store_slot(Database& database, const std::string& pipeline, const SlotIdentity& slot) {
  FRESHET_TRY(Statement store, database.prepare(sql::kSqlStoreSlot));
  store.bind(pipeline).bind(slot.system_identifier).bind(std::int64_t{slot.timeline});
  store.bind(slot.slot_name).bind(to_string(slot.consistent_point)).bind(slot.epoch);
  return store.bind(slot_checksum(pipeline, slot)).run();
}

Status store_position(Database& database,
                      const std::string& pipeline,
                      const DestinationProgress& progress) {
  FRESHET_TRY(Statement store, database.prepare(sql::kSqlStorePosition));
  const std::string lsn = to_string(progress.position.end);
  store.bind(pipeline).bind(progress.destination).bind(lsn);
  return store.bind(checksum({pipeline, progress.destination, lsn})).run();
}

Status store_table(Database& database, const std::string& pipeline, const TableState& table) {
  FRESHET_TRY(Statement store, database.prepare(sql::kSqlStoreTable));
  store.bind(pipeline).bind(table.destination).bind(table.table.schema).bind(table.table.table);
  store.bind(to_string(table.phase)).bind(table.reason);
  return store.bind(table_checksum(pipeline, table)).run();
}

Status store_schema(Database& database,
                    const std::string& pipeline,
                    const FollowedSchema& followed) {
  const TableSchema& schema = followed.schema;
  FRESHET_TRY(Statement remove, database.prepare(sql::kSqlDeleteSchema));
  remove.bind(pipeline).bind(followed.destination);
  FRESHET_TRY(remove.bind(schema.name.schema).bind(schema.name.table).run());
  FRESHET_TRY(Statement store, database.prepare(sql::kSqlStoreSchema));
  const char identity = static_cast<char>(schema.identity);
  store.bind(pipeline).bind(followed.destination);
  store.bind(schema.name.schema).bind(schema.name.table);
  store.bind(std::int64_t{to_integer(schema.relation)}).bind(std::string_view(&identity, 1));
  store.bind(static_cast<std::int64_t>(schema.version));
  FRESHET_TRY(store.bind(schema.definition).bind(schema.files).run());
  for (std::size_t place = 0; place < schema.columns.size(); ++place)
    FRESHET_TRY(store_column(database, pipeline, followed, place));
  return ok_status();
}

Status load_watched(Database& database, const std::string& pipeline, StoredPipeline& into) {
  FRESHET_TRY(Statement rows, database.prepare(sql::kSqlLoadWatched));
  FRESHET_TRY(const bool has_row, rows.bind(pipeline).next());
  if (!has_row) return ok_status();
  into.watched = rows.text(0);
  if (rows.integer(1) != checksum({pipeline, into.watched}))
    return damaged_row(database, "watched");
  return ok_status();
}

Status store_watched(Database& database, const std::string& pipeline, const std::string& watched) {
  FRESHET_TRY(Statement store, database.prepare(sql::kSqlStoreWatched));
  store.bind(pipeline).bind(watched);
  return store.bind(checksum({pipeline, watched})).run();
}

Result<std::vector<WishedTable>> load_wishes(Database& database, const std::string& pipeline) {
  FRESHET_TRY(Statement rows, database.prepare(sql::kSqlLoadWishes));
  rows.bind(pipeline);
  std::vector<WishedTable> wishes;
  while (true) {
    FRESHET_TRY(const bool has_row, rows.next());
    if (!has_row) return wishes;
    WishedTable wished{.table = {.schema = rows.text(0), .table = rows.text(1)}};
    const std::optional<TableWish> wish = parse_table_wish(rows.text(2));
    if (wish) wished.wish = *wish;
    if (!wish || rows.integer(3) != wish_checksum(pipeline, wished))
      return damaged_row(database, "table_wish");
    wishes.push_back(std::move(wished));
  }
}

Status store_wish(Database& database, const std::string& pipeline, const WishedTable& wished) {
  FRESHET_TRY(Statement store, database.prepare(sql::kSqlStoreWish));
  store.bind(pipeline).bind(wished.table.schema).bind(wished.table.table);
  return store.bind(to_string(wished.wish)).bind(wish_checksum(pipeline, wished)).run();
}

Status forget_wish(Database& database, const std::string& pipeline, const WishedTable& wished) {
  FRESHET_TRY(Statement forget, database.prepare(sql::kSqlForgetWish));
  forget.bind(pipeline).bind(wished.table.schema).bind(wished.table.table);
  return forget.bind(to_string(wished.wish)).run();
}

}  // namespace freshet::state_rows
