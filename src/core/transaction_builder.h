// A transaction in progress: takes its changes in, until it commits or is rolled back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/ddl_capture.h"
#include "core/pgoutput/message.h"
#include "core/relation_cache.h"
#include "core/transaction_log.h"
#include "freshet/result.h"

namespace freshet {

/// Movable; use from one thread at a time.
class TransactionBuilder {
 public:
  void set_origin(std::string_view name) { content_.origin = name; }

  /// Adds a row; fails if its relation is unknown or has another number of columns.
  Status add(Lsn lsn, const pgoutput::RowChange& change, const RelationCache& relations);
  Status add(Lsn lsn, const pgoutput::Truncate& truncate, const RelationCache& relations);
  void add(Lsn lsn, const pgoutput::LogicalMessage& message);
  /// Adds a definition, as of the sub-transaction `subxid` (0: not streamed).
  void add(Lsn lsn, CapturePtr captured, Xid subxid);
  /// Drops what `subxid` did; nothing happens if nothing of it came.
  void abort(Xid subxid);

  Status spill(SpillStore& store) { return content_.log.spill(store); }

  std::size_t memory_bytes() const { return content_.log.memory_bytes(); }

  /// Relations announced inside a streamed transaction.
  RelationMap& overlay() { return overlay_; }

  /// Definitions captured in it that were not rolled back; the last one of each table holds.
  const OpenCaptures& captures() const { return captures_; }

  /// Must be called when a relation was announced that this transaction may use.
  void forget_last_relation() { last_relation_.reset(); }

  /// Gives up the content; the builder is as new afterwards.
  TransactionContent take();

 private:
  struct Counts {
    std::uint64_t rows = 0;
    std::uint64_t others = 0;
  };

  struct LastRelation {
    Oid oid{0};
    std::uint32_t index = 0;
  };

  Result<std::uint32_t> schema_index(Oid oid, const RelationCache& relations);
  std::uint32_t intern(SchemaPtr schema);
  void forget_captures(Xid subxid);
  bool is_aborted(Xid subxid) const;
  void count_other(Xid subxid);
  Counts* counts_of(Xid subxid);

  TransactionContent content_;
  RelationMap overlay_;
  OpenCaptures captures_;
  std::optional<LastRelation> last_relation_;
  std::unordered_map<const TableSchema*, std::uint32_t> schema_indexes_;
  std::unordered_map<Xid, Counts> counts_;
  std::unordered_set<Xid> aborted_;
  Xid last_subxid_{0};
  Counts* last_counts_ = nullptr;
};

}  // namespace freshet
