#include "core/pgoutput/decoder.h"

#include <cstdint>
#include <cstring>
#include <string>

#include "core/pgoutput/wire_reader.h"

namespace freshet::pgoutput {
namespace {

constexpr std::string_view kMessageTypes = "BCOMRYIUDTSEcAbPKrp";
constexpr std::uint8_t kTransactionalFlag = 1;
constexpr std::uint8_t kIdentityFlag = 1;
constexpr std::uint8_t kCascadeFlag = 1;
constexpr std::uint8_t kRestartIdentityFlag = 2;
constexpr std::string_view kBuiltinSchema = "pg_catalog";

Error failure(char type, const WireReader& in, std::size_t offset_base) {
  return Error{ErrorKind::protocol, std::string{"pgoutput message is malformed: "} + in.problem()}
      .with("message", std::string_view{&type, 1})
      .with("offset", static_cast<unsigned long long>(in.problem_offset() + offset_base));
}

/// Flags which no version defines: a message that has them means something we do not know.
void expect_no_flags(WireReader& in) {
  if (in.u8() != 0) in.fail("unknown flags");
}

Begin read_begin(WireReader& in) {
  Begin begin;
  begin.commit_lsn = in.lsn();
  begin.committed_at = in.time();
  begin.xid = in.xid();
  return begin;
}

Commit read_commit(WireReader& in) {
  Commit commit;
  expect_no_flags(in);
  commit.commit_lsn = in.lsn();
  commit.end_lsn = in.lsn();
  commit.committed_at = in.time();
  return commit;
}

Origin read_origin(WireReader& in) {
  Origin origin;
  origin.commit_lsn = in.lsn();
  origin.name = in.cstring();
  return origin;
}

LogicalMessage read_logical_message(WireReader& in, Xid xid) {
  LogicalMessage message;
  message.xid = xid;
  message.body = in.rest();
  const std::uint8_t flags = in.u8();
  if ((flags & ~kTransactionalFlag) != 0) in.fail("unknown flags");
  message.is_transactional = flags == kTransactionalFlag;
  message.lsn = in.lsn();
  message.prefix = in.cstring();
  message.content = in.sized_bytes();
  return message;
}

std::string_view read_schema_name(WireReader& in) {
  const std::string_view name = in.cstring();
  return name.empty() ? kBuiltinSchema : name;
}

ReplicaIdentity read_identity(WireReader& in) {
  const char identity = static_cast<char>(in.u8());
  switch (identity) {
    case 'd':
    case 'n':
    case 'f':
    case 'i':
      return ReplicaIdentity{identity};
    default:
      in.fail("an unknown replica identity");
      return ReplicaIdentity::standard;
  }
}

std::size_t read_column_count(WireReader& in) {
  const std::int16_t count = in.i16();
  if (count < 0 || static_cast<std::size_t>(count) > kColumnsMax) {
    in.fail("an impossible number of columns");
    return 0;
  }
  return static_cast<std::size_t>(count);
}

Relation read_relation(WireReader& in, Xid xid, std::vector<RelationColumn>& columns) {
  Relation relation;
  relation.xid = xid;
  relation.oid = in.oid();
  relation.schema = read_schema_name(in);
  relation.name = in.cstring();
  if (relation.name.empty()) in.fail("a table without a name");
  relation.identity = read_identity(in);
  const std::size_t count = read_column_count(in);
  columns.clear();
  for (std::size_t i = 0; i < count && in.ok(); ++i) {
    RelationColumn column;
    const std::uint8_t flags = in.u8();
    if ((flags & ~kIdentityFlag) != 0) in.fail("unknown flags");
    column.is_identity = flags == kIdentityFlag;
    column.name = in.cstring();
    if (column.name.empty()) in.fail("a column without a name");
    column.type = in.oid();
    column.typmod = in.i32();
    columns.push_back(column);
  }
  relation.columns = columns;
  return relation;
}

Type read_type(WireReader& in, Xid xid) {
  Type type;
  type.xid = xid;
  type.oid = in.oid();
  type.schema = read_schema_name(in);
  type.name = in.cstring();
  return type;
}

Value read_value(WireReader& in) {
  Value value;
  switch (in.u8()) {
    case 'n':
      return Value::null();
    case 'u':
      return Value::unchanged();
    case 't':
      value.kind = ValueKind::text;
      break;
    case 'b':
      value.kind = ValueKind::binary;
      break;
    default:
      in.fail("an unknown kind of value");
      return Value::null();
  }
  const std::string_view bytes = in.sized_bytes();
  value.data = bytes.data();
  value.size = static_cast<std::uint32_t>(bytes.size());
  return value;
}

/// Reads a tuple into the front of `storage`, which becomes what is left of it.
RowView read_tuple(WireReader& in, std::span<Value>& storage) {
  const std::size_t count = read_column_count(in);
  if (count > storage.size()) {
    in.fail("more columns than the table has");
    return {};
  }
  for (std::size_t i = 0; i < count; ++i)
    storage[i] = read_value(in);
  const RowView row = storage.first(count);
  storage = storage.subspan(count);
  return row;
}

OldRow old_row_of(std::uint8_t tag) {
  if (tag == 'K') return OldRow::key;
  if (tag == 'O') return OldRow::full;
  return OldRow::none;
}

void read_row_body(WireReader& in, char type, std::span<Value> storage, RowChange& change) {
  change.op = type == 'I' ? Op::insert : type == 'U' ? Op::update : Op::remove;
  std::uint8_t tag = in.u8();
  if (change.op != Op::insert) {
    change.old_row = old_row_of(tag);
    if (change.old_row != OldRow::none) {
      change.before = read_tuple(in, storage);
      if (change.op == Op::update) tag = in.u8();
    } else if (change.op == Op::remove) {
      in.fail("a delete without its old row");
    }
  }
  if (change.op == Op::remove) return;
  if (tag != 'N') in.fail("something else than the new row");
  change.after = read_tuple(in, storage);
  if (change.old_row != OldRow::none && change.before.size() != change.after.size()) {
    in.fail("old and new row differ in their number of columns");
  }
}

/// Text never holds a NUL: stores that take C strings would cut it off there.
void expect_no_nul(WireReader& in, RowView row) {
  for (const Value& value : row) {
    if (value.kind != ValueKind::text || value.size == 0) continue;
    if (std::memchr(value.data, 0, value.size) != nullptr) in.fail("a NUL in text");
  }
}

RowChange read_row_change(WireReader& in, char type, Xid xid, std::span<Value> storage) {
  RowChange change;
  change.xid = xid;
  change.relation = in.oid();
  change.body = in.rest();
  read_row_body(in, type, storage, change);
  expect_no_nul(in, change.before);
  expect_no_nul(in, change.after);
  return change;
}

Truncate read_truncate(WireReader& in, Xid xid, std::vector<Oid>& relations) {
  Truncate truncate;
  truncate.xid = xid;
  const std::int32_t count = in.i32();
  const std::uint8_t flags = in.u8();
  if ((flags & ~(kCascadeFlag | kRestartIdentityFlag)) != 0) in.fail("unknown flags");
  truncate.is_cascade = (flags & kCascadeFlag) != 0;
  truncate.restarts_identity = (flags & kRestartIdentityFlag) != 0;
  relations.clear();
  if (count < 0 || static_cast<std::size_t>(count) > in.remaining() / sizeof(std::uint32_t)) {
    in.fail("an impossible number of tables");
    return truncate;
  }
  for (std::int32_t i = 0; i < count; ++i)
    relations.push_back(in.oid());
  truncate.relations = relations;
  return truncate;
}

StreamStart read_stream_start(WireReader& in) {
  StreamStart start;
  start.xid = in.xid();
  const std::uint8_t first = in.u8();
  if (first > 1) in.fail("an unknown mark of the first segment");
  start.is_first = first == 1;
  return start;
}

StreamCommit read_stream_commit(WireReader& in) {
  StreamCommit commit;
  commit.xid = in.xid();
  expect_no_flags(in);
  commit.commit_lsn = in.lsn();
  commit.end_lsn = in.lsn();
  commit.committed_at = in.time();
  return commit;
}

StreamAbort read_stream_abort(WireReader& in) {
  StreamAbort abort;
  abort.xid = in.xid();
  abort.subxid = in.xid();
  // Nothing but the length tells whether the stream was started with streaming = parallel.
  if (in.remaining() != 0) {
    abort.abort_lsn = in.lsn();
    abort.aborted_at = in.time();
  }
  return abort;
}

template <typename T>
T read_prepared(WireReader& in) {
  T prepared;
  prepared.prepare_lsn = in.lsn();
  prepared.end_lsn = in.lsn();
  prepared.prepared_at = in.time();
  prepared.xid = in.xid();
  prepared.gid = in.cstring();
  return prepared;
}

template <typename T>
T read_prepared_with_flags(WireReader& in) {
  expect_no_flags(in);
  return read_prepared<T>(in);
}

CommitPrepared read_commit_prepared(WireReader& in) {
  CommitPrepared commit;
  expect_no_flags(in);
  commit.commit_lsn = in.lsn();
  commit.end_lsn = in.lsn();
  commit.committed_at = in.time();
  commit.xid = in.xid();
  commit.gid = in.cstring();
  return commit;
}

RollbackPrepared read_rollback_prepared(WireReader& in) {
  RollbackPrepared rollback;
  expect_no_flags(in);
  rollback.prepare_end_lsn = in.lsn();
  rollback.rollback_end_lsn = in.lsn();
  rollback.prepared_at = in.time();
  rollback.rolled_back_at = in.time();
  rollback.xid = in.xid();
  rollback.gid = in.cstring();
  return rollback;
}

/// True for the messages that carry the xid of their sub-transaction inside a stream block.
bool carries_xid(char type) {
  switch (type) {
    case 'M':
    case 'R':
    case 'Y':
    case 'I':
    case 'U':
    case 'D':
    case 'T':
      return true;
    default:
      return false;
  }
}

}  // namespace

Decoder::Decoder() : values_(kRowValuesMax) {}

Result<Message> Decoder::decode(std::string_view bytes, Framing framing) {
  if (bytes.empty()) return Error{ErrorKind::protocol, "pgoutput message is empty"};
  const char type = bytes.front();
  if (kMessageTypes.find(type) == std::string_view::npos) {
    return Error{ErrorKind::protocol, "pgoutput message is of an unknown type"}.with(
        "message", static_cast<unsigned long long>(static_cast<unsigned char>(type)));
  }
  if (bytes.size() > kMessageBytesMax) {
    return Error{ErrorKind::protocol, "pgoutput message is longer than PostgreSQL can make one"};
  }
  WireReader in{bytes.substr(1)};
  const Xid xid = framing == Framing::in_stream && carries_xid(type) ? in.xid() : Xid{0};
  Message message = read_message(in, type, xid);
  if (in.ok() && in.remaining() != 0) in.fail("bytes left over");
  if (!in.ok()) return failure(type, in, 1);
  return message;
}

Message Decoder::read_message(WireReader& in, char type, Xid xid) {
  switch (type) {
    case 'I':
    case 'U':
    case 'D':
      return read_row_change(in, type, xid, values_);
    case 'B':
      return read_begin(in);
    case 'C':
      return read_commit(in);
    case 'O':
      return read_origin(in);
    case 'M':
      return read_logical_message(in, xid);
    case 'R':
      return read_relation(in, xid, columns_);
    case 'Y':
      return read_type(in, xid);
    case 'T':
      return read_truncate(in, xid, relations_);
    case 'S':
      return read_stream_start(in);
    case 'c':
      return read_stream_commit(in);
    case 'A':
      return read_stream_abort(in);
    case 'b':
      return read_prepared<BeginPrepare>(in);
    case 'P':
      return read_prepared_with_flags<Prepare>(in);
    case 'p':
      return read_prepared_with_flags<StreamPrepare>(in);
    case 'K':
      return read_commit_prepared(in);
    case 'r':
      return read_rollback_prepared(in);
    default:  // decode() lets nothing else through than 'E'.
      return StreamStop{};
  }
}

Result<RowChange> read_row(char type, std::string_view body, std::span<Value> storage) {
  WireReader in{body};
  RowChange change;
  change.body = body;
  read_row_body(in, type, storage, change);
  if (in.ok() && in.remaining() != 0) in.fail("bytes left over");
  if (!in.ok()) return failure(type, in, 0);
  return change;
}

Result<LogicalMessage> read_logical_message_body(std::string_view body) {
  WireReader in{body};
  const LogicalMessage message = read_logical_message(in, Xid{0});
  if (in.ok() && in.remaining() != 0) in.fail("bytes left over");
  if (!in.ok()) return failure('M', in, 0);
  return message;
}

}  // namespace freshet::pgoutput
