#include "source/barrier.h"

#include <algorithm>

#include "base/log.h"
#include "base/try.h"
#include "source/table_read.h"

namespace freshet::source {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kFirstPause{5};
constexpr std::chrono::milliseconds kPauseMax{250};
constexpr std::chrono::milliseconds kReportEvery{1000};
constexpr std::chrono::seconds kFirstReplayReport{3};
constexpr std::chrono::seconds kReplayReportEvery{60};

/// Sleeps unless somebody interrupts. The server says nothing meanwhile, so that only a lost
/// connection makes the socket readable; the next query then tells.
Status pause(pg::Connection& connection, std::chrono::milliseconds duration) {
  FRESHET_TRY([[maybe_unused]] const bool is_ready, connection.wait(pg::Ready::read, duration));
  return {};
}

Result<Snapshot> load_snapshot(pg::Connection& connection) {
  FRESHET_TRY(const pg::Rows rows, connection.query("SELECT pg_current_snapshot()"));
  return Snapshot::parse(rows.text(0, 0));
}

Status report_to(const WaitReport& report, pg::Connection& connection, FullXid xid) {
  FRESHET_TRY(const auto waited_for,
              find_open_transactions(connection, std::to_string(to_integer(xid))));
  report(waited_for);
  return {};
}

}  // namespace

Status await_replay(pg::Connection& connection, Lsn streamed) {
  auto next_report = Clock::now() + kFirstReplayReport;
  for (auto wait = kFirstPause;; wait = std::min(wait * 2, kPauseMax)) {
    FRESHET_TRY(const pg::Rows rows,
                connection.query("SELECT pg_is_in_recovery(), pg_last_wal_replay_lsn()"));
    if (!rows.boolean(0, 0) || rows.lsn(0, 1) >= streamed) return {};
    if (Clock::now() >= next_report) {
      log_warn("waiting for the standby to replay again what it had streamed",
               {{"replayed", to_string(rows.lsn(0, 1))},
                {"wanted", to_string(streamed)},
                {"fix", kReplayFix}});
      next_report = Clock::now() + kReplayReportEvery;
    }
    FRESHET_TRY(pause(connection, wait));
  }
}

Result<FullXid> pass_barrier(pg::Connection& connection, Lsn streamed, const WaitReport& report) {
  FRESHET_TRY(const bool is_standby, is_in_recovery(connection));
  if (is_standby) {
    FRESHET_TRY(await_replay(connection, streamed));
    return FullXid{0};
  }
  FRESHET_TRY(const pg::Rows rows, connection.query("SELECT pg_current_xact_id()"));
  const FullXid xid{rows.unsigned_integer(0, 0)};
  auto next_report = Clock::now() + kReportEvery;
  for (auto wait = kFirstPause;; wait = std::min(wait * 2, kPauseMax)) {
    FRESHET_TRY(const Snapshot snapshot, load_snapshot(connection));
    if (snapshot.xmin() > xid) return xid;
    if (report && Clock::now() >= next_report) {
      FRESHET_TRY(report_to(report, connection, xid));
      next_report = Clock::now() + kReportEvery;
    }
    FRESHET_TRY(pause(connection, wait));
  }
}

// A standby's snapshots do not list what is under way there, but have all that was replayed before;
// one that crashed may be behind what it had streamed.
Result<bool> are_visible(pg::Connection& connection, std::span<const Committed> transactions) {
  FRESHET_TRY(const pg::Rows rows, connection.query("SELECT pg_catalog.pg_current_snapshot(), "
                                                    "pg_catalog.pg_is_in_recovery(), "
                                                    "pg_catalog.pg_last_wal_replay_lsn()"));
  FRESHET_TRY(const Snapshot snapshot, Snapshot::parse(rows.text(0, 0)));
  const bool is_standby = rows.boolean(0, 1);
  return std::all_of(transactions.begin(), transactions.end(), [&](const Committed& transaction) {
    return is_standby ? rows.lsn(0, 2) > transaction.commit : snapshot.is_visible(transaction.xid);
  });
}

}  // namespace freshet::source
