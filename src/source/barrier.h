// The barrier before the first range of a copy: waits until every transaction that may have been
// decoded is visible to new snapshots (reliability.md §0.1).
#pragma once

#include "core/snapshot.h"
#include "freshet/result.h"
#include "pg/connection.h"
#include "source/waiting.h"

namespace freshet::source {

/// Takes N = pg_current_xact_id(), waits until no transaction up to N is open any more, telling
/// `report` (may be empty) for whom. Returns N. Ends with `cancelled` on connection.interrupt().
/// `connection` must be outside a transaction.
Result<FullXid> pass_barrier(pg::Connection& connection, const WaitReport& report);

}  // namespace freshet::source
