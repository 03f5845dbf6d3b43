#include "base/error_policy.h"

namespace freshet {

Retry retry_of(const Error& error) noexcept {
  switch (error.kind()) {
    case ErrorKind::connection:
    case ErrorKind::busy:
    case ErrorKind::slot_in_use:
    case ErrorKind::went_back:
      return Retry::reconnect;
    case ErrorKind::lease_held:
    case ErrorKind::fenced:
    case ErrorKind::credentials:
    case ErrorKind::permission:
    case ErrorKind::setting:
    case ErrorKind::config:
    case ErrorKind::gap:
    case ErrorKind::data:
    case ErrorKind::schema:
    case ErrorKind::protocol:
    case ErrorKind::storage:
    case ErrorKind::unsupported:
    case ErrorKind::cancelled:
    case ErrorKind::internal:
      return Retry::never;
  }
  return Retry::never;
}

bool may_pass(const Error& error) noexcept {
  return error.sqlstate() == "25006" || error.sqlstate() == "53300";
}

bool is_final(const Status& status) noexcept {
  return !status.ok() && retry_of(status.error()) == Retry::never && !may_pass(status.error());
}

bool is_cancelled(const Status& status) noexcept {
  return !status.ok() && status.error().kind() == ErrorKind::cancelled;
}

Error with_kind(ErrorKind kind, const Error& error) {
  Error other{kind, error.message()};
  for (const auto& [key, value] : error.context())
    other.add(key, value);
  return std::move(other).sqlstate(error.sqlstate()).fix(error.fix());
}

ExitCode exit_code_of(const Error& error) noexcept {
  switch (error.kind()) {
    case ErrorKind::config:
      return ExitCode::usage;
    case ErrorKind::credentials:
    case ErrorKind::permission:
    case ErrorKind::setting:
    case ErrorKind::lease_held:
    case ErrorKind::slot_in_use:
    case ErrorKind::unsupported:
    // Once changes were streamed a lost connection is made again: this is one that never stood.
    case ErrorKind::connection:
      return ExitCode::preflight;
    case ErrorKind::gap:
      return ExitCode::gap;
    case ErrorKind::busy:
    case ErrorKind::went_back:
    case ErrorKind::fenced:
    case ErrorKind::data:
    case ErrorKind::schema:
    case ErrorKind::protocol:
    case ErrorKind::storage:
    case ErrorKind::cancelled:
    case ErrorKind::internal:
      return ExitCode::failed;
  }
  return ExitCode::failed;
}

std::string_view advice_of(const Error& error) noexcept {
  switch (error.kind()) {
    case ErrorKind::connection:
      return "check that the server runs and can be reached from here";
    case ErrorKind::busy:
      return "the server refused for now; freshet tries again";
    case ErrorKind::slot_in_use:
      return "stop the other process that streams from this slot";
    case ErrorKind::lease_held:
      return "stop the other freshet, or wait until its lease expires";
    case ErrorKind::fenced:
      return "a newer freshet runs this pipeline; nothing to do here";
    case ErrorKind::went_back:
      return "the destination lost commits; freshet streams them again";
    case ErrorKind::credentials:
      return "check user, password, database name and pg_hba.conf";
    case ErrorKind::gap:
      return "changes would be skipped; run `freshet drop` and start again to copy afresh";
    case ErrorKind::storage:
      return "free disk space or mend the permissions of the path named";
    case ErrorKind::protocol:
      return "report this with the log; nothing was acknowledged past it";
    case ErrorKind::permission:
    case ErrorKind::setting:
    case ErrorKind::config:
    case ErrorKind::data:
    case ErrorKind::schema:
    case ErrorKind::unsupported:
    case ErrorKind::cancelled:
    case ErrorKind::internal:
      return {};
  }
  return {};
}

}  // namespace freshet
