// What each kind of error leads to: whether to try again, and the exit code. Decided here alone.
#pragma once

#include "freshet/result.h"

namespace freshet {

enum class Retry : unsigned char {
  never,      ///< Stop: somebody must act.
  reconnect,  ///< Try again with backoff, without limit.
};

Retry retry_of(const Error& error) noexcept;

/// True for what is somebody's mistake at first, but may pass by itself where it went well before:
/// a server that is a standby while another one is promoted, or has no room for one more
/// connection.
bool may_pass(const Error& error) noexcept;

/// True for what another attempt would not mend, nor time.
bool is_final(const Status& status) noexcept;
/// True for what was stopped, on request or because something else failed.
bool is_cancelled(const Status& status) noexcept;

/// The same error, of another kind.
Error with_kind(ErrorKind kind, const Error& error);

/// Exit codes of the command line (design §6).
enum class ExitCode : int { done = 0, failed = 1, usage = 2, preflight = 3, gap = 4 };
ExitCode exit_code_of(const Error& error) noexcept;

/// Advice for the operator where the error itself carries none. Empty if there is none to give.
std::string_view advice_of(const Error& error) noexcept;

}  // namespace freshet
