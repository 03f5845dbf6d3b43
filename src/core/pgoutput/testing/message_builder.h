// Builds pgoutput messages for tests, field by field as decoder.h spells them out.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "freshet/lsn.h"

namespace freshet::pgoutput::testing {

/// Appends big-endian integers and strings to a buffer.
class Bytes {
 public:
  explicit Bytes(char type) : bytes_(1, type) {}

  Bytes& u8(unsigned value) { return integer(value, 1); }

  Bytes& u16(unsigned value) { return integer(value, 2); }

  Bytes& u32(std::uint32_t value) { return integer(value, 4); }

  Bytes& u64(std::uint64_t value) { return integer(value, 8); }

  Bytes& str(std::string_view text) {
    bytes_.append(text).push_back('\0');
    return *this;
  }

  Bytes& raw(std::string_view bytes) {
    bytes_.append(bytes);
    return *this;
  }

  /// Adds the sub-transaction's xid of a message in a stream block.
  Bytes& xid(std::optional<std::uint32_t> value) { return value ? u32(*value) : *this; }

  operator std::string() const { return bytes_; }  // NOLINT(google-explicit-constructor)

 private:
  Bytes& integer(std::uint64_t value, int size) {
    for (int shift = (size - 1) * 8; shift >= 0; shift -= 8) {
      bytes_.push_back(static_cast<char>((value >> shift) & 0xff));
    }
    return *this;
  }

  std::string bytes_;
};

using MaybeXid = std::optional<std::uint32_t>;
/// A value as text, or null; kUnchanged for an unchanged TOAST value.
using Cell = std::optional<std::string>;
using Cells = std::vector<Cell>;
inline const Cell kUnchanged{std::string{"\x01unchanged"}};

struct ColumnSpec {
  std::string name;
  std::uint32_t type = 25;
  bool is_identity = false;
};

inline std::string begin(std::uint64_t commit_lsn, std::uint32_t xid) {
  return Bytes{'B'}.u64(commit_lsn).u64(1000).u32(xid);
}

inline std::string commit(std::uint64_t commit_lsn, std::uint64_t end_lsn) {
  return Bytes{'C'}.u8(0).u64(commit_lsn).u64(end_lsn).u64(1000);
}

inline std::string origin(std::string_view name) {
  return Bytes{'O'}.u64(7).str(name);
}

inline std::string logical_message(std::string_view prefix,
                                   std::string_view content,
                                   bool is_transactional = true,
                                   MaybeXid xid = {}) {
  return Bytes{'M'}
      .xid(xid)
      .u8(is_transactional ? 1 : 0)
      .u64(77)
      .str(prefix)
      .u32(static_cast<std::uint32_t>(content.size()))
      .raw(content);
}

inline std::string relation(std::uint32_t oid,
                            std::string_view name,
                            const std::vector<ColumnSpec>& columns,
                            MaybeXid xid = {}) {
  Bytes bytes{'R'};
  bytes.xid(xid).u32(oid).str("public").str(name).u8('d');
  bytes.u16(static_cast<unsigned>(columns.size()));
  for (const ColumnSpec& column : columns) {
    bytes.u8(column.is_identity ? 1 : 0).str(column.name).u32(column.type).u32(0xffffffff);
  }
  return bytes;
}

inline std::string type(std::uint32_t oid, std::string_view name, MaybeXid xid = {}) {
  return Bytes{'Y'}.xid(xid).u32(oid).str("public").str(name);
}

inline void add_tuple(Bytes& bytes, char tag, const Cells& cells) {
  bytes.u8(static_cast<unsigned char>(tag)).u16(static_cast<unsigned>(cells.size()));
  for (const Cell& cell : cells) {
    if (!cell) {
      bytes.u8('n');
    } else if (cell == kUnchanged) {
      bytes.u8('u');
    } else {
      bytes.u8('t').u32(static_cast<std::uint32_t>(cell->size())).raw(*cell);
    }
  }
}

inline std::string insert(std::uint32_t oid, const Cells& cells, MaybeXid xid = {}) {
  Bytes bytes{'I'};
  bytes.xid(xid).u32(oid);
  add_tuple(bytes, 'N', cells);
  return bytes;
}

/// `tag` is 'K' or 'O', or 0 for no old row.
inline std::string update(
    std::uint32_t oid, char tag, const Cells& before, const Cells& after, MaybeXid xid = {}) {
  Bytes bytes{'U'};
  bytes.xid(xid).u32(oid);
  if (tag != 0) add_tuple(bytes, tag, before);
  add_tuple(bytes, 'N', after);
  return bytes;
}

inline std::string remove(std::uint32_t oid, char tag, const Cells& before, MaybeXid xid = {}) {
  Bytes bytes{'D'};
  bytes.xid(xid).u32(oid);
  add_tuple(bytes, tag, before);
  return bytes;
}

inline std::string truncate(const std::vector<std::uint32_t>& oids,
                            unsigned flags = 0,
                            MaybeXid xid = {}) {
  Bytes bytes{'T'};
  bytes.xid(xid).u32(static_cast<std::uint32_t>(oids.size())).u8(flags);
  for (const std::uint32_t oid : oids)
    bytes.u32(oid);
  return bytes;
}

inline std::string stream_start(std::uint32_t xid, bool is_first) {
  return Bytes{'S'}.u32(xid).u8(is_first ? 1 : 0);
}

inline std::string stream_stop() {
  return Bytes{'E'};
}

inline std::string stream_commit(std::uint32_t xid,
                                 std::uint64_t commit_lsn,
                                 std::uint64_t end_lsn) {
  return Bytes{'c'}.u32(xid).u8(0).u64(commit_lsn).u64(end_lsn).u64(1000);
}

inline std::string stream_abort(std::uint32_t xid, std::uint32_t subxid) {
  return Bytes{'A'}.u32(xid).u32(subxid);
}

inline std::string stream_abort_parallel(std::uint32_t xid, std::uint32_t subxid) {
  return Bytes{'A'}.u32(xid).u32(subxid).u64(99).u64(1000);
}

inline std::string begin_prepare(std::uint64_t lsn, std::uint32_t xid, std::string_view gid) {
  return Bytes{'b'}.u64(lsn).u64(lsn + 8).u64(1000).u32(xid).str(gid);
}

inline std::string prepare(std::uint64_t lsn, std::uint32_t xid, std::string_view gid) {
  return Bytes{'P'}.u8(0).u64(lsn).u64(lsn + 8).u64(1000).u32(xid).str(gid);
}

inline std::string stream_prepare(std::uint64_t lsn, std::uint32_t xid, std::string_view gid) {
  return Bytes{'p'}.u8(0).u64(lsn).u64(lsn + 8).u64(1000).u32(xid).str(gid);
}

inline std::string commit_prepared(std::uint64_t commit_lsn,
                                   std::uint64_t end_lsn,
                                   std::uint32_t xid,
                                   std::string_view gid) {
  return Bytes{'K'}.u8(0).u64(commit_lsn).u64(end_lsn).u64(1000).u32(xid).str(gid);
}

inline std::string rollback_prepared(std::uint64_t prepare_end_lsn,
                                     std::uint32_t xid,
                                     std::string_view gid) {
  return Bytes{'r'}
      .u8(0)
      .u64(prepare_end_lsn)
      .u64(prepare_end_lsn + 8)
      .u64(1)
      .u64(2)
      .u32(xid)
      .str(gid);
}

}  // namespace freshet::pgoutput::testing
