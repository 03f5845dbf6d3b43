#include "destinations/postgres/progress.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/log.h"
#include "base/sql_quote.h"
#include "base/try.h"
#include "destinations/postgres/definition_record.h"
#include "destinations/postgres/session.h"
#include "destinations/postgres/sql.h"
#include "freshet/arena.h"
#include "freshet/config.h"
#include "pg/array_literal.h"
#include "pg/sqlstate.h"
#include "types/copy_text.h"

namespace freshet::postgres {
namespace {

using Text = std::optional<std::string_view>;

// Each attempt waits two seconds for what an older writer is committing.
constexpr int kTakeOverAttempts = 15;

Status create_objects(pg::Connection& connection,
                      std::string_view database,
                      std::string_view user) {
  FRESHET_TRY(const pg::Rows present, connection.query(sql::kSqlIsSetUp));
  if (present.boolean(0, 0)) return ok_status();
  Status made = connection.execute(fmt::format("BEGIN; {}; COMMIT", sql::kSqlSetUp));
  if (made.ok()) return made;
  if (connection.is_in_transaction()) (void)connection.execute("ROLLBACK");
  if (made.error().kind() != ErrorKind::permission) return made;
  return std::move(made.error())
      .with("schema", "freshet")
      .fix(fmt::format("GRANT CREATE ON DATABASE {} TO {};", quote_identifier(database),
                       quote_identifier(user)));
}

SlotIdentity slot_of(const pg::Rows& row) {
  return {.system_identifier = row.string(0, 2),
          .timeline = static_cast<std::uint32_t>(row.unsigned_integer(0, 3)),
          .slot_name = row.string(0, 4),
          .consistent_point = row.lsn(0, 5),
          .epoch = row.string(0, 6)};
}

Error fenced(const std::string& pipeline) {
  return Error{ErrorKind::fenced, "a newer writer took the pipeline over"}.with("pipeline",
                                                                                pipeline);
}

Result<TakenOver> raise_fence(pg::Connection& connection, const Lease& lease) {
  FRESHET_TRY(connection.execute(
      "BEGIN; SET LOCAL lock_timeout = '2s'; SET LOCAL synchronous_commit = on"));
  FRESHET_TRY(
      const pg::Rows row,
      connection.query(sql::kSqlTakeOver, std::array{Text{lease.pipeline}, Text{lease.holder}}));
  FRESHET_TRY(connection.execute("COMMIT"));
  TakenOver taken;
  taken.fence = row.unsigned_integer(0, 0);
  if (!row.is_null(0, 1)) taken.state.position = Position{row.lsn(0, 1)};
  if (!row.is_null(0, 6)) taken.state.slot = slot_of(row);
  return taken;
}

Status load_tables(pg::Connection& connection,
                   const std::string& pipeline,
                   DestinationState& state) {
  FRESHET_TRY(const pg::Rows rows,
              connection.query(sql::kSqlTableRecords, std::array{Text{pipeline}}));
  for (int row = 0; row < rows.rows(); ++row) {
    const auto phase = parse_table_phase(rows.text(row, 2));
    if (!phase) {
      return Error{ErrorKind::internal, "freshet.tables holds an unknown phase"}.with(
          "phase", rows.text(row, 2));
    }
    state.tables.push_back({{rows.string(row, 0), rows.string(row, 1)}, *phase});
  }
  return ok_status();
}

Result<std::vector<std::string>> read_copy_line(std::string_view line) {
  std::vector<std::string> fields;
  if (line.empty()) return fields;
  Arena arena;
  std::vector<Value> values(static_cast<std::size_t>(std::count(line.begin(), line.end(), '\t')) +
                            1);
  FRESHET_TRY(split_copy_row(line, values, arena));
  for (const Value& value : values)
    fields.emplace_back(value.view());
  return fields;
}

Status load_chunks(pg::Connection& connection,
                   const std::string& pipeline,
                   DestinationState& state) {
  FRESHET_TRY(const pg::Rows rows,
              connection.query(sql::kSqlChunkRecords, std::array{Text{pipeline}}));
  for (int row = 0; row < rows.rows(); ++row) {
    CopiedChunk& chunk = state.chunks.emplace_back();
    chunk.table = {rows.string(row, 0), rows.string(row, 1)};
    FRESHET_TRY(chunk.bounds.columns, read_copy_line(rows.text(row, 2)));
    FRESHET_TRY(chunk.bounds.from, read_copy_line(rows.text(row, 3)));
    FRESHET_TRY(chunk.bounds.to, read_copy_line(rows.text(row, 4)));
    chunk.snapshot = rows.string(row, 5);
    chunk.read_upto = rows.lsn(row, 6);
    chunk.relfilenode = static_cast<std::uint32_t>(rows.unsigned_integer(row, 7));
    chunk.condition = rows.string(row, 8);
  }
  return ok_status();
}

}  // namespace

std::string copy_line(const std::vector<std::string>& values) {
  std::string line;
  for (const std::string& value : values) {
    if (&value != &values.front()) line += '\t';
    append_copy_text(value, line);
  }
  return line;
}

namespace {

Status check_writable(const pg::Rows& state) {
  if (state.boolean(0, 0)) {
    return Error{ErrorKind::setting, "the destination is a standby and cannot be written to"}
        .sqlstate(pg::sqlstate::kReadOnlyTransaction)
        .fix("connect to the primary, e.g. with target_session_attrs=read-write in the url");
  }
  if (state.boolean(0, 1)) {
    return Error{ErrorKind::setting, "the destination's transactions are read-only"}.fix(
        fmt::format(
            "ALTER ROLE {} SET default_transaction_read_only = off; and the same for the database",
            quote_identifier(state.text(0, 5))));
  }
  return ok_status();
}

}  // namespace

Status check_set_up(pg::Connection& connection) {
  FRESHET_TRY(const pg::Rows state, connection.query(sql::kSqlServerState));
  FRESHET_TRY(check_writable(state));
  FRESHET_TRY(const pg::Rows rights,
              connection.query("SELECT has_database_privilege(current_database(), 'CREATE') "
                               "OR to_regclass('freshet.progress') IS NOT NULL"));
  if (rights.boolean(0, 0)) return ok_status();
  return Error{ErrorKind::permission, "permission denied to create a schema at the destination"}
      .with("schema", "freshet")
      .fix(fmt::format("GRANT CREATE ON DATABASE {} TO {};", quote_identifier(state.text(0, 4)),
                       quote_identifier(state.text(0, 5))));
}

Status set_up(pg::Connection& connection) {
  FRESHET_TRY(const pg::Rows state, connection.query(sql::kSqlServerState));
  FRESHET_TRY(check_writable(state));
  return create_objects(connection, state.text(0, 4), state.text(0, 5));
}

Result<TakenOver> take_over(pg::Connection& connection, const Lease& lease) {
  const std::string name = application_name(lease.pipeline);
  for (int attempt = 1;; ++attempt) {
    auto taken = raise_fence(connection, lease);
    if (taken.ok()) {
      FRESHET_TRY(load_tables(connection, lease.pipeline, taken->state));
      FRESHET_TRY(load_chunks(connection, lease.pipeline, taken->state));
      FRESHET_TRY(taken->state.definitions, load_definitions(connection, lease.pipeline));
      return taken;
    }
    if (taken.error().sqlstate() != pg::sqlstate::kLockNotAvailable)
      return std::move(taken).error();
    FRESHET_TRY(connection.execute("ROLLBACK"));
    if (attempt == kTakeOverAttempts) {
      return Error{ErrorKind::busy, "an older writer of the pipeline is still committing here"}
          .with("pipeline", lease.pipeline)
          .fix(
              "look for its session in pg_stat_activity; a commit that waits for a synchronous "
              "standby ends when the standby is back");
    }
    log_info("waiting for an older writer to end at the destination",
             {{"pipeline", lease.pipeline}, {"attempt", attempt}});
    FRESHET_TRY(connection.query(sql::kSqlEndIdleWriters, std::array{Text{name}}));
  }
}

Result<Position> record_slot(pg::Connection& connection,
                             const std::string& pipeline,
                             std::uint64_t fence,
                             const SlotIdentity& slot,
                             Position start) {
  const std::string fence_text = std::to_string(fence);
  const std::string timeline = std::to_string(slot.timeline);
  const std::string point = to_string(slot.consistent_point);
  const std::string position = to_string(start.end);
  FRESHET_TRY(connection.execute("BEGIN; SET LOCAL synchronous_commit = on"));
  FRESHET_TRY(
      const pg::Rows adopted,
      connection.query(
          sql::kSqlAdoptSlot,
          std::array{Text{pipeline}, Text{fence_text}, Text{slot.system_identifier}, Text{timeline},
                     Text{slot.slot_name}, Text{point}, Text{slot.epoch}, Text{position}}));
  FRESHET_TRY(connection.execute("COMMIT"));
  if (adopted.rows() == 1) return start;

  FRESHET_TRY(const pg::Rows row, connection.query(sql::kSqlProgress, std::array{Text{pipeline}}));
  if (row.rows() == 0 || row.unsigned_integer(0, 0) != fence) {
    return fenced(pipeline);
  }
  const SlotIdentity kept = slot_of(row);
  if (kept.epoch == slot.epoch && kept.slot_name == slot.slot_name &&
      kept.system_identifier == slot.system_identifier) {
    return Position{row.lsn(0, 1)};
  }
  return Error{ErrorKind::gap, "the destination holds the position of another slot"}
      .with("pipeline", pipeline)
      .with("slot", kept.slot_name)
      .with("position", to_string(row.lsn(0, 1)));
}

Status forget_slot(pg::Connection& connection, const std::string& pipeline, std::uint64_t fence) {
  const std::string fence_text = std::to_string(fence);
  FRESHET_TRY(connection.execute("BEGIN; SET LOCAL synchronous_commit = on"));
  FRESHET_TRY(const pg::Rows forgotten,
              connection.query(sql::kSqlForgetSlot, std::array{Text{pipeline}, Text{fence_text}}));
  FRESHET_TRY(connection.execute("COMMIT"));
  return forgotten.rows() == 1 ? ok_status() : Status{fenced(pipeline)};
}

Status record_phase(pg::Connection& connection,
                    const std::string& pipeline,
                    std::span<const TableName> tables,
                    TablePhase phase) {
  const pg::TableNameArrays names = pg::array_literals(tables);
  auto recorded = connection.query(
      sql::kSqlRecordTable,
      std::array{Text{pipeline}, Text{names.schemas}, Text{names.tables}, Text{to_string(phase)}});
  return recorded.ok() ? ok_status() : Status{std::move(recorded).error()};
}

Status check_fence(pg::Connection& connection, const std::string& pipeline, std::uint64_t fence) {
  const std::string number = std::to_string(fence);
  auto checked = connection.query("SELECT freshet.check_fence($1::text, $2::bigint)",
                                  std::array{Text{pipeline}, Text{number}});
  return checked.ok() ? ok_status() : Status{refine(std::move(checked).error())};
}

}  // namespace freshet::postgres
