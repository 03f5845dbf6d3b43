// Whom we wait for: open transactions that hold up a slot's creation or the barrier, and whoever
// locks a table.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "freshet/result.h"
#include "pg/connection.h"

namespace freshet::source {

struct WaitedFor {
  int pid = 0;      ///< 0 for a prepared transaction.
  std::string gid;  ///< Of a prepared transaction.
  std::string xid;  ///< Its transaction id.
  std::string user;
  std::string application;
  std::string state;  ///< "active", "idle in transaction", "prepared".
  double age_seconds = 0;
};

/// Called from the waiting thread about once a second. Must not block.
using WaitReport = std::function<void(std::span<const WaitedFor>)>;

/// Transactions with an xid assigned that began before `xid` (decimal, xid8), oldest first; at most
/// 10. Empty text: all with an xid.
Result<std::vector<WaitedFor>> find_open_transactions(pg::Connection& connection,
                                                      const std::string& below_xid);

/// Runs `work`, outside a transaction, which locks tables against DDL; and again while somebody
/// else does. Each time it waits for less than deadlock_timeout, so that it is not his
/// statement that fails where the two wait for each other; now and then for longer, at which the
/// server ends an autovacuum that is in the way. Ends with `cancelled` on interrupt().
Status with_table_locks(pg::Connection& connection, const std::function<Status()>& work);

/// One phrase: "transaction 731 of pid 4711 (app, idle in transaction for 62 s) and 2 more".
std::string describe(std::span<const WaitedFor> waited_for);

}  // namespace freshet::source
