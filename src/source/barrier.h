// The barrier before the first range of a copy: waits until every transaction that may have been
// decoded is visible to new snapshots (reliability.md §0.1).
#pragma once

#include <span>
#include <string_view>

#include "core/snapshot.h"
#include "freshet/lsn.h"
#include "freshet/result.h"
#include "pg/connection.h"
#include "source/waiting.h"

namespace freshet::source {

/// Takes N = pg_current_xact_id(), waits until no transaction up to N is open any more, telling
/// `report` (may be empty) for whom. Returns N. On a standby, where nothing
/// is decoded before it is visible, only await_replay(): N is 0. Ends with `cancelled` on
/// connection.interrupt(). `connection` must be outside a transaction.
Result<FullXid> pass_barrier(pg::Connection& connection, Lsn streamed, const WaitReport& report);

/// Waits until a standby has replayed up to `streamed`, which its stream has brought already: one
/// that crashed lets clients in before it has replayed again all that it had. Warns if that takes
/// seconds. Returns at once on a primary; ends with `cancelled` on connection.interrupt().
Status await_replay(pg::Connection& connection, Lsn streamed);

constexpr std::string_view kReplayFix =
    "see whether replay at the standby is paused (pg_is_wal_replay_paused()), or whether it was "
    "restored from an older backup: then `freshet drop`, and start again to copy afresh";

/// True if every snapshot that is taken from now on sees all of these transactions, which were
/// streamed. A commit is streamed once it is flushed, and seen a moment later (much later, if it
/// waits for a standby).
Result<bool> are_visible(pg::Connection& connection, std::span<const Committed> transactions);

}  // namespace freshet::source
