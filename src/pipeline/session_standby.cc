// What a session minds where its source is a standby.
#include <algorithm>
#include <limits>

#include "base/log.h"
#include "base/try.h"
#include "pipeline/session.h"
#include "source/barrier.h"

namespace freshet {

// What else decoding there needs, the slot's creation finds out.
Status Session::check_standby() {
  if (sql_->server_version() < source::kStandbysDecodeSince) {
    return Error{ErrorKind::unsupported,
                 "the source is a standby server, and those of PostgreSQL 14 and 15 cannot decode"}
        .fix("name the primary in source.url, or a standby of PostgreSQL 16 or later");
  }
  if (options_.config.source.is_failover) {
    return Error{ErrorKind::config, "a slot that is made on a standby cannot be a failover slot"}
        .fix("remove source.failover, or name the primary in source.url");
  }
  FRESHET_TRY(const pg::Rows rows, sql_->query("SELECT current_setting('hot_standby_feedback')"));
  if (rows.text(0, 0) == "on") return ok_status();
  log_warn(
      "the source is a standby without hot_standby_feedback: vacuum at the primary may invalidate "
      "the slot and cut off copies",
      {{"fix", source::kFeedbackFix}});
  return ok_status();
}

// A standby that crashed shows its past for a while: tables would be missing that the destinations
// have.
Status Session::await_replay(const std::stop_token& stop) {
  Position known;
  for (const DestinationProgress& progress : stored_.positions)
    known = std::max(known, progress.position);
  set_activity("waiting for the standby to replay up to " + to_string(known.end));
  const std::stop_callback interrupt(stop, [this] { sql_->interrupt(); });
  return source::await_replay(*sql_, known.end);
}

// What an earlier session read again is not newer than this. A standby that crashed shows its past
// until its receiver runs again: by then it has replayed all that it has ever shown.
Result<Lsn> Session::load_reread_limit() {
  FRESHET_TRY(const Lsn now, source::load_insert_lsn(*sql_));
  if (!is_standby_) return now;
  FRESHET_TRY(const pg::Rows rows,
              sql_->query("SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_wal_receiver)"));
  return rows.boolean(0, 0) ? now : Lsn{std::numeric_limits<std::uint64_t>::max()};
}

// The destinations have the last word on what is known; the catalogue has been read by now.
Status Session::check_replayed(Position known) {
  // Of another server check_identity() tells.
  if (!is_standby_ || slot_.system_identifier != system_.system_identifier) return ok_status();
  FRESHET_TRY(const Lsn replayed, source::load_insert_lsn(*sql_));
  if (replayed >= known.end) return ok_status();
  return Error{ErrorKind::busy, "the standby has yet to replay again what it had streamed"}
      .with("replayed", to_string(replayed))
      .with("position", to_string(known.end))
      .fix(std::string{source::kReplayFix});
}

}  // namespace freshet
