#include "destinations/postgres/object_maker.h"

#include <array>
#include <chrono>
#include <vector>

#include <fmt/format.h>

#include "base/error_policy.h"
#include "base/log.h"
#include "base/sql_quote.h"
#include "base/try.h"
#include "destinations/postgres/concurrent_index.h"
#include "destinations/postgres/sql.h"
#include "pg/array_literal.h"
#include "pg/sqlstate.h"
#include "types/table_error.h"

namespace freshet::postgres {
namespace {

using Text = std::optional<std::string_view>;

bool is_index(ObjectKind kind) {
  return kind == ObjectKind::index || kind == ObjectKind::unique_index;
}

/// As one statement, whatever the text that came from the source holds.
Status run_single(pg::Connection& connection, const std::string& sql) {
  FRESHET_TRY([[maybe_unused]] const pg::Rows rows, connection.query(sql, std::span<const Text>{}));
  return ok_status();
}

/// A sequence has no name of its own.
std::string display_name(const TableObject& object) {
  return object.name.empty() ? to_string(object.other) : object.name;
}

std::string_view lock_mode(ObjectKind kind) {
  switch (kind) {
    case ObjectKind::sequence:
    case ObjectKind::sequence_value:
    case ObjectKind::index:
    case ObjectKind::unique_index:
      return {};
    case ObjectKind::foreign_key:
      return "SHARE ROW EXCLUSIVE";
    case ObjectKind::validation:
      return "SHARE UPDATE EXCLUSIVE";
    case ObjectKind::identity:
    case ObjectKind::column_default:
    case ObjectKind::constraint:
    case ObjectKind::replica_identity:
      return "ACCESS EXCLUSIVE";
  }
  return {};
}

}  // namespace

Status try_replica_role(pg::Connection& connection) {
  return connection.execute(
      "SET session_replication_role = replica; RESET session_replication_role");
}

Error without_foreign_keys() {
  return Error{ErrorKind::permission,
               "foreign keys are left out: the role may not set session_replication_role"}
      .fix(
          "PostgreSQL 15 and later: GRANT SET ON PARAMETER session_replication_role TO <the "
          "role>;");
}

Status ObjectMaker::run() {
  FRESHET_TRY(
      const pg::Rows rows,
      connection_.query(sql::kSqlLoadObjects,
                        std::array{Text{pipeline_}, Text{table_.schema}, Text{table_.table}}));
  const auto start = std::chrono::steady_clock::now();
  int made = 0;
  for (int row = 0; row < rows.rows(); ++row) {
    const auto kind = parse_object_kind(rows.text(row, 1));
    if (!kind) continue;  // Of a later version of ours.
    const Wanted wanted{.place = rows.string(row, 0),
                        .object = {.kind = *kind,
                                   .name = rows.string(row, 2),
                                   .definition = rows.string(row, 3),
                                   .other = {rows.string(row, 4), rows.string(row, 5)},
                                   .judged = {}},
                        .is_begun = rows.text(row, 6) == "building"};
    if (rows.text(row, 6) == "failed") {
      note_failure(wanted.object);
      continue;
    }
    const Status status = begin(wanted);
    ++made;
    if (!status.ok()) FRESHET_TRY(settle_failure(wanted, status.error()));
  }
  if (made == 0) return ok_status();
  const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - start);
  log_info("what belongs to a table was built",
           {{"table", to_string(table_)}, {"objects", made}, {"elapsed_ms", elapsed.count()}});
  // For the planner to know of expressions that are indexed.
  return connection_.execute("ANALYZE " + quote_identifier(table_));
}

Status ObjectMaker::begin(const Wanted& wanted) {
  const std::vector<TableName> tables = tables_of(wanted.object);
  const TableName other = tables.size() > 1 ? tables[1] : TableName{};
  if (options_.may_begin && !options_.may_begin(other))
    return Error{ErrorKind::cancelled, "the table is left to the stream for now"};
  return make(wanted);
}

// Fails with what is worth another try.
Status ObjectMaker::settle_failure(const Wanted& wanted, const Error& error) {
  const bool is_connected =
      error.kind() != ErrorKind::connection && error.kind() != ErrorKind::cancelled;
  if (is_connected && connection_.is_in_transaction()) FRESHET_TRY(connection_.execute("ROLLBACK"));
  const bool is_locked = error.sqlstate() == pg::sqlstate::kLockNotAvailable;
  const std::string name = display_name(wanted.object);
  const bool is_final = is_connected && !is_locked && options_.gives_up_on == name;
  if (!is_worth_retrying(error) || is_final) return record_failure(wanted, error);
  Error told =
      naming(error, table_).with("kind", to_string(wanted.object.kind)).with("object", name);
  if (!is_locked) return told;
  const std::string holder = find_lock_holder(wanted.object);
  return holder.empty() ? told : std::move(told).with("lock_held_by", holder);
}

Status ObjectMaker::make(const Wanted& wanted) {
  const TableObject& object = wanted.object;
  const bool builds_on =
      object.kind == ObjectKind::constraint || object.kind == ObjectKind::validation;
  if (builds_on && failed_.contains(object.name)) {
    FRESHET_TRY([[maybe_unused]] const bool is_set,
                set_state(wanted, "failed", "what it builds on could not be made"));
    return ok_status();
  }
  if (is_index(object.kind)) return make_index(wanted);
  return make_in_transaction(wanted);
}

Status ObjectMaker::make_index(const Wanted& wanted) {
  const TableObject& object = wanted.object;
  FRESHET_TRY(const std::string here, find_here(connection_, table_, object));
  if (here == "here" && !wanted.is_begun) {
    FRESHET_TRY([[maybe_unused]] const bool is_set, set_state(wanted, "found"));
    return ok_status();
  }
  if (here == "taken") return name_is_taken();
  FRESHET_TRY(const bool is_wanted, set_state(wanted, "building"));
  if (!is_wanted) return ok_status();
  FRESHET_TRY(build_concurrently(connection_, table_, object, here));
  FRESHET_TRY([[maybe_unused]] const bool is_set, set_state(wanted, "built"));
  return ok_status();
}

// The object and the record of it in one commit.
Status ObjectMaker::make_in_transaction(const Wanted& wanted) {
  const TableObject& object = wanted.object;
  if (object.kind == ObjectKind::foreign_key) FRESHET_TRY(may_have_foreign_keys());
  // Less than deadlock_timeout: where we and the lane wait for each other, it is we who let go. And
  // whoever reads the table does not queue behind us for long.
  FRESHET_TRY(connection_.execute("BEGIN; SET LOCAL lock_timeout = '500ms'"));
  FRESHET_TRY(lock_record(wanted));
  FRESHET_TRY(lock(object));
  FRESHET_TRY(const std::string here, find_here(connection_, table_, object));
  const bool is_validation = object.kind == ObjectKind::validation;
  const bool is_found = here == "here" && !is_validation;
  FRESHET_TRY(const bool is_wanted, set_state(wanted, is_found ? "found" : "built"));
  // A constraint that is not there was let go meanwhile, and comes again before this.
  if (!is_wanted || (is_validation && here != "here")) return connection_.execute("ROLLBACK");
  if (!is_found) FRESHET_TRY(create(object));
  return connection_.execute("COMMIT");
}

// The lane does the same before it decides that an object may not stand: whoever comes second sees
// what the first one committed.
Status ObjectMaker::lock_record(const Wanted& wanted) {
  FRESHET_TRY(
      [[maybe_unused]] const pg::Rows locked,
      connection_.query(sql::kSqlLockObject, std::array{Text{pipeline_}, Text{table_.schema},
                                                        Text{table_.table}, Text{wanted.place}}));
  return ok_status();
}

Status ObjectMaker::lock(const TableObject& object) {
  const std::string_view mode = lock_mode(object.kind);
  if (mode.empty()) return ok_status();
  std::string tables = quote_identifier(table_);
  if (object.kind == ObjectKind::foreign_key && object.other != table_)
    tables += ", " + quote_identifier(object.other);
  return connection_.execute(fmt::format("LOCK TABLE {} IN {} MODE", tables, mode));
}

Status ObjectMaker::create(const TableObject& object) {
  const std::string name = quote_identifier(object.name);
  switch (object.kind) {
    case ObjectKind::sequence:
      return create_sequence(object);
    case ObjectKind::sequence_value:
      return advance_sequence(object);
    case ObjectKind::identity:
      return alter(fmt::format("ALTER COLUMN {} ADD GENERATED BY DEFAULT AS IDENTITY ({})", name,
                               object.definition));
    case ObjectKind::column_default:
      return alter(fmt::format("ALTER COLUMN {} SET DEFAULT {}", name, object.definition));
    case ObjectKind::constraint:
    case ObjectKind::foreign_key:
      return alter(fmt::format("ADD CONSTRAINT {} {}", name, object.definition));
    case ObjectKind::validation:
      return alter("VALIDATE CONSTRAINT " + name);
    case ObjectKind::replica_identity:
      return alter("REPLICA IDENTITY " + object.definition);
    case ObjectKind::index:
    case ObjectKind::unique_index:
      break;
  }
  return Error{ErrorKind::internal, "an index is not made in a transaction"};
}

Status ObjectMaker::alter(const std::string& action) {
  return run_single(connection_,
                    fmt::format("ALTER TABLE {} {}", quote_identifier(table_), action));
}

Status ObjectMaker::create_sequence(const TableObject& object) {
  const std::string sequence = quote_identifier(object.other);
  FRESHET_TRY(run_single(connection_, fmt::format("CREATE SEQUENCE IF NOT EXISTS {} {}", sequence,
                                                  object.definition)));
  if (object.name.empty()) return ok_status();
  return connection_.execute(fmt::format("ALTER SEQUENCE {} OWNED BY {}.{}", sequence,
                                         quote_identifier(table_), quote_identifier(object.name)));
}

Status ObjectMaker::advance_sequence(const TableObject& object) {
  if (object.definition.empty()) {
    return Error{ErrorKind::permission, "the source's role may not read the sequence"}.fix(
        fmt::format("at the source: GRANT SELECT ON SEQUENCE {} TO <the role of source.url>; then "
                    "`freshet table resync` of {}, as its copy brings the value",
                    quote_identifier(object.other), to_string(table_)));
  }
  const std::string sequence = quote_identifier(object.other);
  FRESHET_TRY([[maybe_unused]] const pg::Rows rows,
              connection_.query(sql::kSqlAdvanceSequence,
                                std::array{Text{sequence}, Text{object.definition}}));
  return ok_status();
}

Status ObjectMaker::may_have_foreign_keys() {
  Status tried = try_replica_role(connection_);
  if (tried.ok() || is_worth_retrying(tried.error())) return tried;
  return without_foreign_keys();
}

/// Its own first.
std::vector<TableName> ObjectMaker::tables_of(const TableObject& object) const {
  const bool is_link =
      object.kind == ObjectKind::foreign_key || object.kind == ObjectKind::validation;
  if (!is_link || object.other.table.empty() || object.other == table_) return {table_};
  return {table_, object.other};
}

/// Empty where that is not to be known: it is told, and no more.
std::string ObjectMaker::find_lock_holder(const TableObject& object) {
  const pg::TableNameArrays names = pg::array_literals(tables_of(object));
  const auto rows =
      connection_.query(sql::kSqlLockHolder, std::array{Text{names.schemas}, Text{names.tables}});
  return rows.ok() && rows->rows() > 0 ? rows->string(0, 0) : std::string{};
}

Result<bool> ObjectMaker::set_state(const Wanted& wanted,
                                    std::string_view state,
                                    std::optional<std::string_view> reason) {
  FRESHET_TRY(const pg::Rows rows,
              connection_.query(sql::kSqlSetObjectState,
                                std::array{Text{pipeline_}, Text{table_.schema}, Text{table_.table},
                                           Text{wanted.place}, Text{state}, reason}));
  return rows.rows() > 0;
}

void ObjectMaker::note_failure(const TableObject& object) {
  const bool is_built_on = object.kind == ObjectKind::unique_index ||
                           object.kind == ObjectKind::constraint ||
                           object.kind == ObjectKind::foreign_key;
  if (is_built_on) failed_.insert(object.name);
}

Status ObjectMaker::record_failure(const Wanted& wanted, const Error& error) {
  const TableObject& object = wanted.object;
  std::string reason = error.message();
  if (!error.fix().empty()) reason += "; " + error.fix();
  FRESHET_TRY(const bool is_set, set_state(wanted, "failed", reason));
  if (!is_set) return ok_status();
  note_failure(object);
  log_warn("an object of a table cannot be made at the destination; all else goes on",
           {{"table", to_string(table_)},
            {"kind", to_string(object.kind)},
            {"object", display_name(object)},
            {"reason", reason},
            {"sqlstate", error.sqlstate()}});
  return ok_status();
}

}  // namespace freshet::postgres
