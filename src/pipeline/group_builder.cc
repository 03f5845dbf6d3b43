#include "pipeline/group_builder.h"

#include <algorithm>

#include "base/try.h"

namespace freshet {
namespace {

// Together at most 4 MiB.
constexpr std::size_t kSparePiecesMax = 512;
constexpr std::size_t kSparePieceBytesMax = std::size_t{8} << 10;

}  // namespace

void GroupBuilder::add_rows(const ShapePtr& shape, std::span<Change> changes) {
  if (changes.empty()) return;
  runs_.push_back(Run{.schema = shape->output, .changes = changes, .truncated = {}});
  if (!shape->kept.empty() || !shape->transforms.empty()) pending_.push_back({shape, changes});
}

void GroupBuilder::add_truncate(std::vector<SchemaPtr> tables,
                                bool is_cascade,
                                bool restarts_identity) {
  truncated_.push_back(std::make_unique<std::vector<SchemaPtr>>(std::move(tables)));
  runs_.push_back(Run{.schema = nullptr,
                      .changes = {},
                      .truncated = *truncated_.back(),
                      .is_cascade = is_cascade,
                      .restarts_identity = restarts_identity});
}

bool GroupBuilder::truncates(const TableName& table) const {
  return std::any_of(truncated_.begin(), truncated_.end(), [&](const auto& tables) {
    return std::any_of(tables->begin(), tables->end(),
                       [&](const SchemaPtr& schema) { return schema->name == table; });
  });
}

void GroupBuilder::drop_runs(std::size_t first) {
  for (std::size_t i = first; i < runs_.size(); ++i) {
    std::erase_if(pending_, [&](const ShapedRun& run) {
      return run.changes.data() == runs_[i].changes.data();
    });
  }
  runs_.resize(std::min(first, runs_.size()));
}

void GroupBuilder::add_phase(const TableName& table, TablePhase phase) {
  phases_.push_back({table, phase});
}

Piece GroupBuilder::take_spare() {
  if (spare_.empty()) return {};
  Piece piece = std::move(spare_.back());
  spare_.pop_back();
  return piece;
}

void GroupBuilder::give_back(Piece piece) {
  if (spare_.size() >= kSparePiecesMax || piece.byte_size() > kSparePieceBytesMax) return;
  piece.clear();
  spare_.push_back(std::move(piece));
}

void GroupBuilder::keep(Piece piece) {
  byte_size_ += piece.byte_size();
  pieces_.push_back(std::move(piece));
}

void GroupBuilder::keep(std::unique_ptr<HeldPiece> piece) {
  byte_size_ += piece->bytes.size();
  held_.push_back(std::move(piece));
}

void GroupBuilder::project(const Shape& shape, std::span<Change> changes) {
  if (shape.kept.empty()) return;
  const auto narrow = [&](RowView row) -> RowView {
    if (row.empty()) return row;
    const std::span<Value> kept = arena_.array<Value>(shape.kept.size());
    for (std::size_t i = 0; i < kept.size(); ++i)
      kept[i] = row[static_cast<std::size_t>(shape.kept[i])];
    return kept;
  };
  for (Change& change : changes) {
    change.before = narrow(change.before);
    change.after = narrow(change.after);
  }
}

Status GroupBuilder::transform_shape(const Shape& shape, std::span<const std::span<Change>> runs) {
  if (shape.transforms.empty()) return ok_status();
  gathered_.clear();
  for (const std::span<Change> run : runs)
    gathered_.insert(gathered_.end(), run.begin(), run.end());
  for (std::size_t i = 0; i < shape.transforms.size(); ++i) {
    FRESHET_TRY(shape.transforms[i]->apply(*shape.transform_inputs[i], gathered_, arena_));
  }
  auto from = gathered_.begin();
  for (const std::span<Change> run : runs) {
    std::copy_n(from, run.size(), run.begin());
    from += static_cast<std::ptrdiff_t>(run.size());
  }
  return ok_status();
}

Status GroupBuilder::transform() {
  std::vector<std::span<Change>> runs;
  while (!pending_.empty()) {
    const ShapePtr shape = pending_.front().shape;
    runs.clear();
    std::erase_if(pending_, [&](const ShapedRun& run) {
      if (run.shape != shape) return false;
      runs.push_back(run.changes);
      return true;
    });
    for (const std::span<Change> run : runs)
      project(*shape, run);
    FRESHET_TRY(transform_shape(*shape, runs));
  }
  return ok_status();
}

void GroupBuilder::clear() {
  runs_.clear();
  phases_.clear();
  chunks_.clear();
  pending_.clear();
  truncated_.clear();
  for (Piece& piece : pieces_)
    give_back(std::move(piece));
  pieces_.clear();
  held_.clear();
  arena_.clear();
  byte_size_ = 0;
}

}  // namespace freshet
