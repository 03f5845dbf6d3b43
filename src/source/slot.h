// A logical slot as SQL shows it, and whether it is the slot that we remember.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/assembler.h"
#include "freshet/destination.h"
#include "freshet/lsn.h"
#include "freshet/result.h"
#include "pg/connection.h"
#include "source/replication_connection.h"

namespace freshet::source {

/// pg_replication_slots.wal_status; `none` where it is NULL.
enum class WalStatus : std::uint8_t { none, reserved, extended, unreserved, lost };

struct SlotRow {
  std::string name;
  std::string plugin;
  std::string database;
  bool is_logical = true;
  bool is_temporary = false;
  bool is_active = false;
  int active_pid = 0;  ///< 0: nobody streams from it.
  Lsn restart = kNoLsn;
  Lsn confirmed_flush = kNoLsn;
  WalStatus wal_status = WalStatus::none;
  std::optional<std::int64_t> safe_wal_bytes;  ///< Until it may be lost; nothing: no limit.
  std::int64_t retained_wal_bytes = 0;         ///< From restart to the server's present position.
  bool is_two_phase = false;
  bool is_failover = false;         ///< 17+
  std::string invalidation_reason;  ///< 17+; "conflicting" on 16; empty: valid.
};

/// The first version whose standbys can have logical slots.
constexpr int kStandbysDecodeSince = 160'000;

/// What keeps a primary from removing what a standby's slot and copies need.
constexpr const char* kFeedbackFix =
    "at the standby set hot_standby_feedback = on, and primary_slot_name to a physical slot of the "
    "primary";

/// Nothing if there is no slot of that name.
Result<std::optional<SlotRow>> find_slot(pg::Connection& connection, const std::string& name);
/// A slot that is missing is no error; one in use is `slot_in_use`.
Status drop_slot(pg::Connection& connection, const std::string& name);
/// Up to where the server has WAL in its books; of a standby, what it has replayed.
Result<Lsn> load_insert_lsn(pg::Connection& connection);
/// What a stream that has just begun may lack the PREPARE of. A standby does not tell: anything.
Result<Undecided> load_undecided(pg::Connection& connection);
/// System identifier, timeline, insert position and database over plain SQL (needs no REPLICATION).
Result<SystemIdentity> load_system_identity(pg::Connection& connection);

struct IdentityCheck {
  SlotIdentity stored;
  SystemIdentity now;
  std::optional<SlotRow> slot;  ///< The row of stored.slot_name; nothing: missing.
  /// The least position durable at any destination; nothing: unknown to all of them (then
  /// stored.consistent_point stands for it).
  std::optional<Position> least_durable;
  /// The greatest position that any destination holds.
  Position greatest{};
  /// Where the stored timeline ended in the server's history, if it is on a later one.
  std::optional<Lsn> timeline_end{};
  /// A destination holds the position of another slot of this server.
  bool has_other_slots = false;
};

/// Fails with `gap` if streaming on would skip changes: another server, a timeline that is not the
/// stored one's continuation from where the destinations are, a slot missing, lost, made for
/// another plugin or database, or confirmed past what is durable. Pure.
Status check_identity(const IdentityCheck& check);

/// True where the server is the right one and what is left of the slot is ours, but changes went
/// with it: a new slot and a copy of everything mend that.
bool is_slot_loss(const Error& error);

}  // namespace freshet::source
