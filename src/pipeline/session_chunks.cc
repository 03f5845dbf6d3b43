// Which tables a session copies in chunks, and how it goes on with a copy that was interrupted.
#include <algorithm>

#include "base/log.h"
#include "base/try.h"
#include "pipeline/copy_choice.h"
#include "pipeline/schema_policy.h"
#include "pipeline/session.h"

namespace freshet {

Status Session::choose_copies() {
  const bool can_be_kept = std::all_of(
      destinations_.begin(), destinations_.end(),
      [](const OpenDestination& opened) { return opened.destination->traits().keeps_chunks; });
  for (auto& [name, plan] : plans_) {
    const CopyMode wanted = wanted_copy(options_.config.source.copy, plan.config);
    FRESHET_TRY(const CopyChoice choice, choose_copy(wanted, plan,
                                                     {.destinations_keep_chunks = can_be_kept,
                                                      .is_source_standby = is_standby_}));
    plan.is_copied_in_chunks = choice.way == CopyMode::chunked;
  }
  return ok_status();
}

// Takes up the copy in chunks that an earlier run left, if the table is still what it was. Where
// several destinations want the table they may hold different chunks: all begin anew.
Status Session::resume_chunks(Lane& lane, const DestinationState& state, const TablePlan& plan) {
  const TableName& name = plan.config.name;
  std::vector<const CopiedChunk*> chunks;
  for (const CopiedChunk& chunk : state.chunks) {
    if (chunk.table == name) chunks.push_back(&chunk);
  }
  if (chunks.empty() || !plan.is_copied_in_chunks || options_.config.destinations.size() > 1) {
    return ok_status();
  }
  FRESHET_TRY(const ShapePtr shape, make_copy_shape(plan));
  const auto codec = chunk_codec(*shape);
  const std::uint32_t heap = plan.catalog.heaps.front().relfilenode;
  const SchemaPtr known = known_schema(lane, state, plan);
  const std::string condition = copied_rows(plan);
  const bool is_same = codec && known && is_same_shape(*known, *shape->output) &&
                       std::all_of(chunks.begin(), chunks.end(), [&](const CopiedChunk* chunk) {
                         return chunk->relfilenode == heap &&
                                chunk->bounds.columns == codec->columns() &&
                                chunk->condition == condition;
                       });
  if (!is_same) return ok_status();
  Router& router = lane.router();
  router.begin_chunked_copy(name, codec->columns(), heap);
  for (const CopiedChunk* chunk : chunks) {
    KeyRange range;
    if (!chunk->bounds.from.empty()) {
      FRESHET_TRY(range.from, codec->encode(chunk->bounds.from));
    }
    if (!chunk->bounds.to.empty()) {
      FRESHET_TRY(range.to, codec->encode(chunk->bounds.to));
    }
    FRESHET_TRY(Snapshot snapshot, Snapshot::parse(chunk->snapshot));
    router.resume_chunk(name, std::move(range), std::move(snapshot), chunk->read_upto);
  }
  lane.set_current(shape->output);
  if (plan.kept) lane.set_ignored(name, describe_ignored(*plan.kept, *shape->input));
  log_info("going on with an interrupted copy",
           {{"table", to_string(name)}, {"chunks", chunks.size()}});
  return ok_status();
}

}  // namespace freshet
