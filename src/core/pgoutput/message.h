// The messages of PostgreSQL's pgoutput plug-in, typed. Views point into the bytes that were
// decoded and into the Decoder's scratch: both must outlive the message. What the bytes look like
// is spelled out in decoder.h; what the messages mean together is the Assembler's business.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <variant>

#include "freshet/lsn.h"
#include "freshet/row.h"
#include "freshet/schema.h"

namespace freshet::pgoutput {

/// MaxHeapAttributeNumber: no table has more columns.
constexpr std::size_t kColumnsMax = 1600;
/// MaxAllocSize: PostgreSQL cannot build a longer message.
constexpr std::size_t kMessageBytesMax = 1'073'741'823;

/// 'B'. What follows, up to Commit, belongs to one transaction.
struct Begin {
  Lsn commit_lsn = kNoLsn;
  SourceTime committed_at{0};
  Xid xid{0};
};

/// 'C'.
struct Commit {
  Lsn commit_lsn = kNoLsn;
  Lsn end_lsn = kNoLsn;
  SourceTime committed_at{0};
};

/// 'O'. The transaction was itself replicated, from the origin of that name.
struct Origin {
  Lsn commit_lsn = kNoLsn;  ///< At the origin.
  std::string_view name;
};

/// 'M', from pg_logical_emit_message.
struct LogicalMessage {
  Xid xid{0};  ///< Only in a stream block.
  bool is_transactional = false;
  Lsn lsn = kNoLsn;
  std::string_view prefix;
  std::string_view content;
  /// The message from behind its [xid], for read_logical_message_body().
  std::string_view body;
};

struct RelationColumn {
  bool is_identity = false;
  std::string_view name;
  Oid type{0};
  std::int32_t typmod = -1;
};

/// 'R'. Says what the following rows of that table look like.
struct Relation {
  Xid xid{0};  ///< Only in a stream block.
  Oid oid{0};
  std::string_view schema;  ///< "pg_catalog" where the server sends an empty string for it.
  std::string_view name;
  ReplicaIdentity identity = ReplicaIdentity::standard;
  std::span<const RelationColumn> columns;
};

/// 'Y'. Names a type that is not built in.
struct Type {
  Xid xid{0};  ///< Only in a stream block.
  Oid oid{0};
  std::string_view schema;
  std::string_view name;
};

/// 'I', 'U' or 'D'.
struct RowChange {
  Xid xid{0};  ///< Of the sub-transaction; only in a stream block.
  Oid relation{0};
  Op op = Op::insert;
  OldRow old_row = OldRow::none;
  RowView before;
  RowView after;
  /// The message from behind the relation's OID, for read_row().
  std::string_view body;
};

/// 'T'.
struct Truncate {
  Xid xid{0};  ///< Only in a stream block.
  bool is_cascade = false;
  bool restarts_identity = false;
  std::span<const Oid> relations;
};

/// 'S'. Opens a block of a transaction that is still in progress.
struct StreamStart {
  Xid xid{0};
  bool is_first = false;
};

/// 'E'. Closes the block.
struct StreamStop {};

/// 'c'.
struct StreamCommit {
  Xid xid{0};
  Lsn commit_lsn = kNoLsn;
  Lsn end_lsn = kNoLsn;
  SourceTime committed_at{0};
};

/// 'A'. Ends a streamed transaction, or one of its sub-transactions.
struct StreamAbort {
  Xid xid{0};
  Xid subxid{0};           ///< Equals xid when the whole transaction was rolled back.
  Lsn abort_lsn = kNoLsn;  ///< Only with streaming = parallel, as is the time.
  SourceTime aborted_at{0};
};

/// 'b', 'P' or 'p'.
struct Prepared {
  Lsn prepare_lsn = kNoLsn;
  Lsn end_lsn = kNoLsn;
  SourceTime prepared_at{0};
  Xid xid{0};
  std::string_view gid;
};

struct BeginPrepare : Prepared {};

struct Prepare : Prepared {};

struct StreamPrepare : Prepared {};

/// 'K'.
struct CommitPrepared {
  Lsn commit_lsn = kNoLsn;
  Lsn end_lsn = kNoLsn;
  SourceTime committed_at{0};
  Xid xid{0};
  std::string_view gid;
};

/// 'r'.
struct RollbackPrepared {
  Lsn prepare_end_lsn = kNoLsn;
  Lsn rollback_end_lsn = kNoLsn;
  SourceTime prepared_at{0};
  SourceTime rolled_back_at{0};
  Xid xid{0};
  std::string_view gid;
};

using Message = std::variant<Begin,
                             Commit,
                             Origin,
                             LogicalMessage,
                             Relation,
                             Type,
                             RowChange,
                             Truncate,
                             StreamStart,
                             StreamStop,
                             StreamCommit,
                             StreamAbort,
                             BeginPrepare,
                             Prepare,
                             StreamPrepare,
                             CommitPrepared,
                             RollbackPrepared>;

}  // namespace freshet::pgoutput
