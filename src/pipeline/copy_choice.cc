#include "pipeline/copy_choice.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/try.h"
#include "types/primary_key.h"

namespace freshet {
namespace {

// 256 MiB: what is smaller is read in seconds.
constexpr std::uint64_t kChunkedPagesMin = 32'768;
constexpr std::uint64_t kPagesPerMebibyte = 128;

std::string describe_key(const TableSchema& schema) {
  std::vector<std::string> words;
  for (const Column* column : primary_key_columns(schema))
    words.push_back(column->name + " " + column->type_sql);
  return fmt::format("{}", fmt::join(words, ", "));
}

// Why the table cannot be copied in chunks; empty if it can.
Result<std::string> find_obstacle(const TablePlan& plan, const ChunkConditions& conditions) {
  if (conditions.is_source_standby) return std::string{"the source is a standby"};
  if (plan.catalog.kind != 'r' || plan.catalog.heaps.size() != 1)
    return std::string{"it is partitioned"};
  if (!conditions.destinations_keep_chunks)
    return std::string{"not every destination keeps chunks"};
  FRESHET_TRY(const ShapePtr shape, make_copy_shape(plan));
  const TableSchema& schema = *shape->projected;
  // A chunk is replaced at the destination by its range of keys.
  const std::vector<const Column*> key = primary_key_columns(schema);
  if (std::any_of(key.begin(), key.end(),
                  [&](const Column* column) { return plan.masked.contains(column->name); }))
    return std::string{"its primary key is masked"};
  if (chunk_codec(*shape)) return std::string{};
  if (SortKeyCodec::of(schema)) return std::string{"its primary key was renamed, which is ignored"};
  if (key.empty()) return std::string{"it has no primary key"};
  if (schema.identity == ReplicaIdentity::index || schema.identity == ReplicaIdentity::nothing)
    return std::string{"its replica identity is not the primary key"};
  return fmt::format("its primary key ({}) is not all of integers, UUIDs, dates and timestamps",
                     describe_key(schema));
}

}  // namespace

std::optional<SortKeyCodec> chunk_codec(const Shape& shape) {
  auto codec = SortKeyCodec::of(*shape.projected);
  const auto at_source = SortKeyCodec::of(*shape.read);
  const bool is_one = codec && at_source && codec->columns() == at_source->columns();
  return is_one ? std::move(codec) : std::nullopt;
}

CopyMode wanted_copy(const CopyConfig& copy, const TableConfig& table) {
  return table.copy.value_or(copy.mode);
}

Result<CopyChoice> choose_copy(CopyMode wanted,
                               const TablePlan& plan,
                               const ChunkConditions& conditions) {
  if (wanted == CopyMode::none)
    return CopyChoice{.way = CopyMode::none, .reason = "it is asked for"};
  if (wanted == CopyMode::snapshot)
    return CopyChoice{.way = CopyMode::snapshot, .reason = "it is asked for"};
  const bool is_forced = wanted == CopyMode::chunked;
  std::uint64_t pages = 0;
  for (const source::Heap& heap : plan.catalog.heaps)
    pages += heap.pages;
  const std::uint64_t mebibytes = pages / kPagesPerMebibyte;
  if (!is_forced && pages < kChunkedPagesMin) {
    return CopyChoice{.way = CopyMode::snapshot,
                      .reason = fmt::format("it has {} MiB; below {} MiB chunks are not worth it",
                                            mebibytes, kChunkedPagesMin / kPagesPerMebibyte)};
  }
  FRESHET_TRY(std::string obstacle, find_obstacle(plan, conditions));
  if (!obstacle.empty()) {
    return CopyChoice{
        .way = CopyMode::snapshot, .reason = std::move(obstacle), .is_as_asked = !is_forced};
  }
  const std::string key = describe_key(plan.catalog.schema);
  return CopyChoice{
      .way = CopyMode::chunked,
      .reason = is_forced ? fmt::format("it is asked for, and the primary key ({}) allows it", key)
                          : fmt::format("it has {} MiB, and the primary key ({}) allows it",
                                        mebibytes, key)};
}

}  // namespace freshet
