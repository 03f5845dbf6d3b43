// Decodes pgoutput's messages, protocol versions 1 to 4: bytes in, typed messages out. Each message
// is judged alone; whether it may come at this moment is the Assembler's business. The bytes come
// from a server that is not trusted: every length is checked, and trailing bytes are an error.
//
// Integers are big-endian. `str` is NUL-terminated. An LSN is u64, a time i64 (microseconds since
// 2000-01-01 UTC), an OID or xid u32. [xid] is there only inside a stream block (between S and E).
//
//   B Begin             lsn commit, time, xid
//   C Commit            u8 flags (0), lsn commit, lsn end, time
//   O Origin            lsn commit at the origin, str name
//   M Message           [xid] u8 flags (1 = transactional), lsn, str prefix, i32 size, bytes
//   R Relation          [xid] oid, str schema ("" = pg_catalog), str name, u8 identity (d n f i),
//                       i16 count, count x { u8 flags (1 = identity), str name, oid type, i32
//                       typmod }
//   Y Type              [xid] oid, str schema ("" = pg_catalog), str name
//   I Insert            [xid] oid, 'N' tuple
//   U Update            [xid] oid, ['K' tuple | 'O' tuple], 'N' tuple
//   D Delete            [xid] oid, 'K' tuple | 'O' tuple
//   T Truncate          [xid] i32 count, u8 flags (1 = cascade, 2 = restart identity), count x oid
//  versions 2 and up, streaming:
//   S Stream Start      xid, u8 first segment (0 or 1)
//   E Stream Stop
//   c Stream Commit     xid, u8 flags (0), lsn commit, lsn end, time
//   A Stream Abort      xid, xid sub-transaction, and from version 4 on, iff streaming is
//   `parallel`:
//                       lsn abort, time
//  versions 3 and up, two-phase:
//   b Begin Prepare     lsn prepare, lsn end, time, xid, str gid
//   P Prepare           u8 flags (0), lsn prepare, lsn end, time, xid, str gid
//   K Commit Prepared   u8 flags (0), lsn commit, lsn end, time, xid, str gid
//   r Rollback Prepared u8 flags (0), lsn prepare end, lsn rollback end, time of prepare,
//                       time of rollback, xid, str gid
//   p Stream Prepare    as P
//
//   tuple               i16 count, count x { 'n' null | 'u' unchanged TOAST
//                                          | 't' i32 size, bytes as text | 'b' i32 size, bytes as
//                                          binary }
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "core/pgoutput/message.h"
#include "freshet/result.h"

namespace freshet::pgoutput {

class WireReader;

/// Where a message stands; decides whether row and relation messages carry an xid of their own.
enum class Framing : std::uint8_t { plain, in_stream };

/// Decodes one message at a time. Row messages allocate nothing. Use from one thread at a time.
class Decoder {
 public:
  Decoder();

  /// Decodes one whole message. What it returns is valid until the next call and as long as
  /// `bytes`. Fails with ErrorKind::protocol; the error names message type and offset and holds no
  /// row data.
  Result<Message> decode(std::string_view bytes, Framing framing);

 private:
  Message read_message(WireReader& in, char type, Xid xid);

  std::vector<Value> values_;
  std::vector<RelationColumn> columns_;
  std::vector<Oid> relations_;
};

/// Values that a row message holds: all columns once, or twice where it has an old row as well.
constexpr std::size_t kRowValuesMax = 2 * kColumnsMax;

/// Decodes the body of a row message (RowChange::body) of type 'I', 'U' or 'D' into `storage`,
/// which must have room for its values. It was decoded before: only its framing is checked again.
/// Sets op, old_row, before and after of the result; allocates nothing.
Result<RowChange> read_row(char type, std::string_view body, std::span<Value> storage);

/// Decodes a logical message from behind its [xid] (LogicalMessage::body).
Result<LogicalMessage> read_logical_message_body(std::string_view body);

}  // namespace freshet::pgoutput
