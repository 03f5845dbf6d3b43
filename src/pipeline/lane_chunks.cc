// The lane's part in a copy in chunks: each change goes the way of the key range that its row is
// in.
#include <algorithm>

#include "base/log.h"
#include "base/try.h"
#include "pipeline/lane.h"
#include "types/whole_row.h"

namespace freshet {

// Nothing where rows cannot be told apart by the key that the copy goes by.
Result<const Lane::ChunkKeys*> Lane::keys_of(const SchemaPtr& streamed) {
  const auto known = chunk_keys_.find(streamed);
  if (known != chunk_keys_.end()) return &known->second;
  FRESHET_TRY(const ShapePtr shape, shape_of(streamed));
  if (!shape->is_certain) return nullptr;
  std::vector<std::string> copied_by;
  {
    const std::lock_guard lock(around_.router_mutex);
    copied_by = router_.chunk_columns(streamed->name);
  }
  const auto codec = SortKeyCodec::of(*shape->input);
  const auto places = codec ? codec->places_in(*shape->input) : std::nullopt;
  if (!places || codec->columns() != copied_by) return nullptr;
  return &chunk_keys_.insert_or_assign(streamed, ChunkKeys{shape, *codec, *places}).first->second;
}

Status Lane::route_by_key(Item& item) {
  const TableName& table = item.schema->name;
  FRESHET_TRY(const ChunkKeys* const keys, keys_of(item.schema));
  if (keys == nullptr) return begin_chunks_again(table);
  FRESHET_TRY(const bool has_effect, judge_keys(item, *keys));
  if (!has_effect) return ok_status();
  // Chunks are read with the columns that the table had when its copy began.
  if (!is_same_shape(*current_[table], *keys->shape->output)) return begin_chunks_again(table);
  for (std::size_t start = 0; start < item.changes.size();) {
    const Fate& fate = fates_[start];
    if (fate.before != fate.after) {
      FRESHET_TRY(const bool is_routed,
                  route_move(*keys->shape, item.schema, item.changes[start], fate));
      if (!is_routed) return begin_chunks_again(table, true);
      ++start;
      continue;
    }
    std::size_t end = start + 1;
    while (end < item.changes.size() && fates_[end].before == fate.before &&
           fates_[end].after == fate.before) {
      ++end;
    }
    FRESHET_TRY(const bool is_routed,
                route_fate(item.schema, item.changes.subspan(start, end - start), fate.before));
    if (!is_routed) return ok_status();
    start = end;
  }
  return ok_status();
}

// Sets fates_; false if all are skipped.
Result<bool> Lane::judge_keys(const Item& item, const ChunkKeys& keys) {
  const TableName& table = item.schema->name;
  fates_.assign(item.changes.size(), Fate{});
  bool has_effect = false;
  SortKey key;
  const std::lock_guard lock(around_.router_mutex);
  if (!router_.is_chunked(table)) {
    // Its copy began again while this transaction was being routed.
    static_cast<void>(router_.judge(table, in_hand_));
    return false;
  }
  const auto judge = [&](RowView row) -> Result<KeyVerdict> {
    FRESHET_TRY(keys.codec.encode(row, keys.places, key));
    return router_.judge_key(table, key, in_hand_.xid);
  };
  for (std::size_t i = 0; i < item.changes.size(); ++i) {
    const Change& change = item.changes[i];
    Fate& fate = fates_[i];
    FRESHET_TRY(fate.after, judge(change.after.empty() ? change.before : change.after));
    fate.before = fate.after;
    if (!change.after.empty() && !change.before.empty()) {
      FRESHET_TRY(fate.before, judge(change.before));
    }
    has_effect |= fate.before.verdict != Verdict::skip || fate.after.verdict != Verdict::skip;
  }
  return has_effect;
}

Result<bool> Lane::route_fate(const SchemaPtr& schema, std::span<Change> changes, KeyVerdict fate) {
  // Its definition is that of the chunks (route_by_key): there is nothing to follow.
  if (fate.verdict == Verdict::apply) return apply_rows(schema, changes);
  if (fate.verdict != Verdict::hold) return true;
  auto& spool = chunk_spools_[{schema->name, fate.chunk}];
  if (!spool) spool = std::make_unique<HoldSpool>(hold_store_);
  FRESHET_TRY(spool->append(schema, changes));
  return true;
}

// An update that takes a row from one range to another is a removal and an insertion, each with a
// fate of its own. False if the insertion lacks values that cannot be read again, or the table's
// copy began again.
Result<bool> Lane::route_move(const Shape& shape,
                              const SchemaPtr& schema,
                              const Change& change,
                              const Fate& fate) {
  const std::span<Change> halves = group_.arena().array<Change>(2);
  halves[0] = as_removal(change);
  halves[1] = as_insert(change, group_.arena());
  std::span<Change> arrived = halves.subspan(1);
  if (fate.after.verdict != Verdict::skip && has_unchanged(arrived.front().after)) {
    const Lacking lacking{.change = 0, .row = arrived.front().after, .left = {}};
    FRESHET_TRY(const bool is_filled,
                fill_in(shape, around_.plans.at(schema->name), std::span{&lacking, 1}, arrived));
    if (!is_filled) return false;
  }
  FRESHET_TRY(const bool has_left, route_fate(schema, halves.first(1), fate.before));
  if (!has_left || arrived.empty()) return has_left;
  return route_fate(schema, arrived, fate.after);
}

// What is copied already does not fit what streams, unless it is all there.
Status Lane::begin_chunks_again(const TableName& table, bool is_kept_whole) {
  {
    const std::lock_guard lock(around_.router_mutex);
    if (!router_.is_chunked(table) || router_.is_seen_by_all_chunks(table, in_hand_.xid)) {
      return ok_status();
    }
    if (is_kept_whole) router_.restart_copy_whole(table);
  }
  return copy_again(table, is_kept_whole ? "a row moved between its chunks without a large value"
                                         : "it changed in a way that its chunks cannot follow");
}

Result<bool> Lane::finish_chunk(ChunkId id, CopiedChunk chunk) {
  bool counts = false;
  const auto finish = [&]() -> Status {
    {
      const std::lock_guard lock(around_.router_mutex);
      counts = router_.finish_chunk(chunk.table, id, chunk.read_upto);
    }
    const auto held = chunk_spools_.find({chunk.table, id});
    if (counts) {
      if (held != chunk_spools_.end()) {
        FRESHET_TRY(counts, add_held(*held->second));
        if (!counts) return ok_status();
      }
      group_.add_chunk(std::move(chunk));
      FRESHET_TRY(flush_complete());
    }
    if (held != chunk_spools_.end()) chunk_spools_.erase(held);
    return ok_status();
  };
  FRESHET_TRY(call(finish, true));
  return counts;
}

Status Lane::drop_chunk(const TableName& table, ChunkId id) {
  return call([&]() -> Status {
    const std::lock_guard lock(around_.router_mutex);
    router_.drop_chunk(table, id);
    chunk_spools_.erase({table, id});
    return ok_status();
  });
}

}  // namespace freshet
