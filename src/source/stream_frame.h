// What the two sides of a replication stream tell each other, each in one CopyData message
// (PostgreSQL 18, 54.4 "Streaming Replication Protocol"):
//   XLogData   'w' int64 start, int64 wal end, int64 clock, bytes
//   Keepalive  'k' int64 wal end, int64 clock, byte wants reply
//   Status     'r' int64 written, int64 flushed, int64 applied, int64 clock, byte wants reply
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "freshet/lsn.h"
#include "freshet/result.h"

namespace freshet::source {

/// An XLogData frame: one pgoutput message. `bytes` is valid until the next message is received.
struct WalData {
  Lsn start = kNoLsn;
  Lsn wal_end = kNoLsn;  ///< No acknowledgement point.
  SourceTime sent_at{0};
  std::string_view bytes;
};

struct Keepalive {
  Lsn wal_end = kNoLsn;  ///< All transactions that end at or before it have been sent.
  SourceTime sent_at{0};
  bool wants_reply = false;
};

/// Nothing came in the time given, or the wake descriptor became readable.
struct Idle {};

/// The server ended the stream in good order (it is shutting down, or after stop()).
struct Ended {};

using StreamEvent = std::variant<WalData, Keepalive, Idle, Ended>;

/// Positions for a status update. The server keeps WAL from `flushed` on.
struct StatusUpdate {
  Lsn written = kNoLsn;
  Lsn flushed = kNoLsn;
  Lsn applied = kNoLsn;
  bool wants_reply = false;
};

/// Reads an XLogData or a Keepalive; `protocol` for anything else. Pure; views point into `frame`.
Result<StreamEvent> parse_frame(std::string_view frame);
/// Makes a status update. Pure.
std::string status_frame(const StatusUpdate& update, SourceTime now);

}  // namespace freshet::source
