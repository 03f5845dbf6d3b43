#include "source/waiting.h"

#include <array>
#include <chrono>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "base/log.h"
#include "base/try.h"
#include "pg/sqlstate.h"
#include "source/sql/sql.h"

namespace freshet::source {
namespace {

constexpr int kLongEvery = 10;
constexpr std::chrono::milliseconds kPause{500};

Status limit_wait(pg::Connection& connection, double deadlock_timeouts) {
  auto set = connection.query(
      fmt::format("SELECT set_config('lock_timeout', (setting::int * {})::int::text, false) FROM "
                  "pg_catalog.pg_settings WHERE name = 'deadlock_timeout'",
                  deadlock_timeouts));
  return set.ok() ? Status{} : Status{std::move(set).error()};
}

}  // namespace

Status with_table_locks(pg::Connection& connection, const std::function<Status()>& work) {
  Status done;
  for (int attempt = 1;; ++attempt) {
    FRESHET_TRY(limit_wait(connection, attempt % kLongEvery == 0 ? 1.5 : 0.5));
    done = work();
    const bool is_locked =
        !done.ok() && (done.error().sqlstate() == pg::sqlstate::kLockNotAvailable ||
                       done.error().sqlstate() == pg::sqlstate::kDeadlockDetected);
    if (!is_locked) break;
    if (attempt == 1) log_error(LogLevel::warn, "waiting for a table that is locked", done.error());
    FRESHET_TRY([[maybe_unused]] const bool is_ready, connection.wait(pg::Ready::read, kPause));
  }
  const bool is_lost = !done.ok() && (done.error().kind() == ErrorKind::connection ||
                                      done.error().kind() == ErrorKind::cancelled);
  if (!is_lost) FRESHET_TRY(connection.execute("RESET lock_timeout"));
  return done;
}

Result<std::vector<WaitedFor>> find_open_transactions(pg::Connection& connection,
                                                      const std::string& below_xid) {
  const std::array<std::optional<std::string_view>, 1> parameters{
      below_xid.empty() ? std::nullopt : std::optional<std::string_view>{below_xid}};
  FRESHET_TRY(const pg::Rows rows, connection.query(sql::kSqlOpenTransactions, parameters));
  std::vector<WaitedFor> found;
  for (int row = 0; row < rows.rows(); ++row) {
    found.push_back({.pid = static_cast<int>(rows.integer(row, 0)),
                     .gid = rows.string(row, 1),
                     .xid = rows.string(row, 2),
                     .user = rows.string(row, 3),
                     .application = rows.string(row, 4),
                     .state = rows.string(row, 5),
                     .age_seconds = static_cast<double>(rows.integer(row, 6))});
  }
  return found;
}

std::string describe(std::span<const WaitedFor> waited_for) {
  if (waited_for.empty()) return "open transactions";
  const WaitedFor& first = waited_for.front();
  const std::string owner = first.pid == 0
                                ? fmt::format("prepared as \"{}\"", first.gid)
                                : fmt::format("of pid {} ({}{}{})", first.pid, first.application,
                                              first.application.empty() ? "" : ", ", first.state);
  std::string text =
      fmt::format("transaction {} {}, open for {:.0f} s", first.xid, owner, first.age_seconds);
  if (waited_for.size() > 1) text += fmt::format(", and {} more", waited_for.size() - 1);
  return text;
}

}  // namespace freshet::source
