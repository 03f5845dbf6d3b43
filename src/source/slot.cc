#include "source/slot.h"

#include <array>
#include <string_view>

#include "base/try.h"
#include "pg/sqlstate.h"
#include "source/replication_command.h"
#include "source/sql/sql.h"

namespace freshet::source {
namespace {

WalStatus parse_wal_status(std::string_view text) {
  if (text == "reserved") return WalStatus::reserved;
  if (text == "extended") return WalStatus::extended;
  if (text == "unreserved") return WalStatus::unreserved;
  if (text == "lost") return WalStatus::lost;
  return WalStatus::none;
}

SlotRow read_slot(const pg::Rows& rows) {
  SlotRow slot{.name = rows.string(0, 0),
               .plugin = rows.string(0, 1),
               .database = rows.string(0, 2),
               .is_logical = rows.boolean(0, 3),
               .is_temporary = rows.boolean(0, 4),
               .is_active = rows.boolean(0, 5),
               .active_pid = static_cast<int>(rows.integer(0, 6)),
               .restart = rows.lsn(0, 7),
               .confirmed_flush = rows.lsn(0, 8),
               .wal_status = parse_wal_status(rows.text(0, 9)),
               .safe_wal_bytes = {},
               .retained_wal_bytes = rows.integer(0, 11),
               .is_two_phase = rows.boolean(0, 12),
               .is_failover = rows.boolean(0, 13),
               .invalidation_reason = rows.string(0, 14)};
  if (!rows.is_null(0, 10)) slot.safe_wal_bytes = rows.integer(0, 10);
  return slot;
}

Error gap(std::string message, const SlotIdentity& stored) {
  return Error{ErrorKind::gap, std::move(message)}.with("slot", stored.slot_name);
}

Error loss(std::string message, std::string_view how, const SlotIdentity& stored) {
  return gap(std::move(message), stored).with(kLost, how).fix(kLossFix);
}

Error differs(std::string what,
              std::string_view then,
              std::string_view now,
              const SlotIdentity& s) {
  return gap(std::move(what), s).with("then", then).with("now", now);
}

// A standby that took the primary's place goes on with the WAL that it had received.
Status check_timeline(const IdentityCheck& check) {
  const SlotIdentity& stored = check.stored;
  if (stored.timeline == kAnyTimeline || stored.timeline == check.now.timeline) return {};
  const std::string then = std::to_string(stored.timeline);
  const std::string now = std::to_string(check.now.timeline);
  if (!check.timeline_end) {
    return differs(
        "the server is on another timeline than when the slot was made (promoted or "
        "restored)",
        then, now, stored);
  }
  if (check.greatest.end > *check.timeline_end) {
    return differs("the destinations hold changes that the server, promoted or restored, never had",
                   then, now, stored)
        .with("position", to_string(check.greatest.end))
        .with("promoted_at", to_string(*check.timeline_end));
  }
  return {};
}

Status check_server(const SlotIdentity& stored, const SystemIdentity& now) {
  if (stored.system_identifier != now.system_identifier) {
    return differs("this is another server than the one the slot was made on",
                   stored.system_identifier, now.system_identifier, stored);
  }
  return {};
}

Status check_row(const SlotIdentity& stored, const SystemIdentity& now, const SlotRow& slot) {
  if (!slot.is_logical || slot.plugin != "pgoutput") {
    return gap("the slot of that name is none for pgoutput", stored).with("plugin", slot.plugin);
  }
  if (slot.database != now.database) {
    return differs("the slot belongs to another database", slot.database, now.database, stored);
  }
  if (!slot.invalidation_reason.empty()) {
    Error lost =
        loss("the slot was invalidated: " + slot.invalidation_reason, "invalidated", stored);
    // Only a standby's: the primary removed rows of the catalogue that decoding still needed.
    const bool is_conflict =
        slot.invalidation_reason == "conflicting" || slot.invalidation_reason == "rows_removed";
    return is_conflict ? std::move(lost).fix(std::string{kFeedbackFix} + "; " + kLossFix) : lost;
  }
  // A lost slot still shows its confirmed_flush_lsn.
  if (slot.wal_status == WalStatus::lost || slot.restart == kNoLsn) {
    return loss("the slot was lost: the server removed WAL that it needed", "wal_removed", stored)
        .fix(std::string{"raise max_slot_wal_keep_size at the server; "} + kLossFix);
  }
  return {};
}

}  // namespace

Result<std::optional<SlotRow>> find_slot(pg::Connection& connection, const std::string& name) {
  const std::array<std::optional<std::string_view>, 1> parameters{name};
  FRESHET_TRY(const pg::Rows rows, connection.query(sql::kSqlSlot, parameters));
  if (rows.rows() == 0) return std::optional<SlotRow>{};
  return std::optional{read_slot(rows)};
}

Status drop_slot(pg::Connection& connection, const std::string& name) {
  const std::array<std::optional<std::string_view>, 1> parameters{name};
  const auto dropped = connection.query("SELECT pg_drop_replication_slot($1)", parameters);
  if (dropped.ok() || dropped.error().sqlstate() == pg::sqlstate::kUndefinedObject) return {};
  return slot_error(dropped.error(), name);
}

Result<Lsn> load_insert_lsn(pg::Connection& connection) {
  FRESHET_TRY(const pg::Rows rows,
              connection.query("SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN "
                               "pg_catalog.pg_last_wal_replay_lsn() ELSE "
                               "pg_catalog.pg_current_wal_insert_lsn() END"));
  return rows.lsn(0, 0);
}

// The names first: what is prepared after the look at them is sent.
Result<Undecided> load_undecided(pg::Connection& connection) {
  Undecided undecided;
  FRESHET_TRY(const pg::Rows rows,
              connection.query("SELECT gid, pg_catalog.pg_is_in_recovery() "
                               "FROM (VALUES (pg_catalog.current_database())) AS this(name) "
                               "LEFT JOIN pg_catalog.pg_prepared_xacts ON database = name"));
  if (rows.boolean(0, 1)) return undecided;
  for (int row = 0; row < rows.rows(); ++row) {
    if (!rows.is_null(row, 0)) undecided.gids.insert(rows.string(row, 0));
  }
  FRESHET_TRY(undecided.upto, load_insert_lsn(connection));
  return undecided;
}

Result<SystemIdentity> load_system_identity(pg::Connection& connection) {
  FRESHET_TRY(const pg::Rows rows, connection.query(sql::kSqlSystemIdentity));
  return SystemIdentity{.system_identifier = rows.string(0, 0),
                        .timeline = static_cast<std::uint32_t>(rows.unsigned_integer(0, 1)),
                        .flushed = rows.lsn(0, 2),
                        .database = rows.string(0, 3)};
}

Status check_identity(const IdentityCheck& check) {
  const SlotIdentity& stored = check.stored;
  FRESHET_TRY(check_server(stored, check.now));
  FRESHET_TRY(check_timeline(check));
  if (!check.slot) return loss("the replication slot does not exist any more", "dropped", stored);
  FRESHET_TRY(check_row(stored, check.now, *check.slot));
  if (check.has_other_slots)
    return loss("the destinations hold positions of different slots", "mixed", stored);
  const Lsn durable = check.least_durable ? check.least_durable->end : stored.consistent_point;
  if (check.slot->confirmed_flush > durable) {
    return loss(
               "the slot was confirmed past what the destinations hold: it was made anew, or "
               "something else read from it",
               "moved", stored)
        .with("confirmed", to_string(check.slot->confirmed_flush))
        .with("durable", to_string(durable));
  }
  return {};
}

bool is_slot_loss(const Error& error) {
  return error.kind() == ErrorKind::gap && !error.find(kLost).empty();
}

}  // namespace freshet::source
