// Gathers the changes of whole transactions into one group for a destination, and transforms them.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "core/transaction.h"
#include "freshet/arena.h"
#include "freshet/destination.h"
#include "pipeline/hold_spool.h"
#include "pipeline/table_plan.h"

namespace freshet {

/// Keeps everything that its runs point to until clear(). One thread.
class GroupBuilder {
 public:
  /// Takes rows over; `changes` stays where it is and is rewritten in place.
  void add_rows(const ShapePtr& shape, std::span<Change> changes);
  void add_truncate(std::vector<SchemaPtr> tables, bool is_cascade, bool restarts_identity);
  bool truncates(const TableName& table) const;
  void add_phase(const TableName& table, TablePhase phase);

  void add_chunk(CopiedChunk chunk) { chunks_.push_back(std::move(chunk)); }

  /// Takes back all runs from `first` on; their rows were not transformed yet.
  void drop_runs(std::size_t first);

  /// An empty piece, with memory of one that was kept before clear() if there is any.
  Piece take_spare();
  /// Takes it back: nothing was added of it.
  void give_back(Piece piece);
  /// Keeps memory alive that added rows point to.
  void keep(Piece piece);
  void keep(std::unique_ptr<HeldPiece> piece);

  /// Applies projection and transforms to all rows added since the last call: one call of each
  /// transform for all rows of a shape, in whatever transactions they came.
  Status transform();

  std::span<const Run> runs() const { return runs_; }

  std::span<const PhaseChange> phases() const { return phases_; }

  std::span<const CopiedChunk> chunks() const { return chunks_; }

  bool is_empty() const { return runs_.empty() && phases_.empty() && chunks_.empty(); }

  /// Bytes in the arena that were not in the stream.
  void count_bytes(std::size_t bytes) { byte_size_ += bytes; }

  std::size_t byte_size() const { return byte_size_; }

  Arena& arena() { return arena_; }

  void clear();

 private:
  struct ShapedRun {
    ShapePtr shape;
    std::span<Change> changes;
  };

  void project(const Shape& shape, std::span<Change> changes);
  Status transform_shape(const Shape& shape, std::span<const std::span<Change>> runs);

  std::vector<Run> runs_;
  std::vector<PhaseChange> phases_;
  std::vector<CopiedChunk> chunks_;
  std::vector<ShapedRun> pending_;
  std::vector<std::unique_ptr<std::vector<SchemaPtr>>> truncated_;
  std::vector<Piece> pieces_;
  std::vector<Piece> spare_;  // of small transactions, which come by the thousand
  std::vector<std::unique_ptr<HeldPiece>> held_;
  std::vector<Change> gathered_;
  Arena arena_;
  std::size_t byte_size_ = 0;
};

}  // namespace freshet
