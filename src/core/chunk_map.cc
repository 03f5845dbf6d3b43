#include "core/chunk_map.h"

#include <algorithm>

namespace freshet {

ChunkId ChunkMap::begin(KeyRange range, Snapshot snapshot) {
  const ChunkId id{++last_id_};
  std::string from = range.from;
  chunks_.insert_or_assign(std::move(from), Chunk{.id = id,
                                                  .range = std::move(range),
                                                  .state = State::reading,
                                                  .snapshot = std::move(snapshot)});
  return id;
}

ChunkMap::ByStart::iterator ChunkMap::find(ChunkId id) {
  return std::find_if(chunks_.begin(), chunks_.end(),
                      [&](const auto& entry) { return entry.second.id == id; });
}

bool ChunkMap::finish(ChunkId id, Lsn read_upto) {
  const auto found = find(id);
  if (found == chunks_.end()) return false;
  found->second.state = State::done;
  found->second.read_upto = read_upto;
  found->second.held = {};
  return true;
}

std::vector<Xid> ChunkMap::drop(ChunkId id) {
  const auto found = find(id);
  if (found == chunks_.end()) return {};
  std::vector<Xid> held = std::move(found->second.held);
  chunks_.erase(found);
  return held;
}

ChunkMap::Chunk* ChunkMap::find(std::string_view key) {
  auto next = chunks_.upper_bound(key);
  if (next == chunks_.begin()) return nullptr;
  Chunk& chunk = std::prev(next)->second;
  const bool is_inside = !chunk.range.to || key < *chunk.range.to;
  return is_inside ? &chunk : nullptr;
}

std::vector<KeyRange> ChunkMap::unread() const {
  std::vector<KeyRange> gaps;
  std::optional<std::string> covered_upto = std::string{};
  for (const auto& [from, chunk] : chunks_) {
    if (from != *covered_upto) gaps.push_back({*covered_upto, from});
    covered_upto = chunk.range.to;
    if (!covered_upto) return gaps;
  }
  gaps.push_back({*covered_upto, {}});
  return gaps;
}

bool ChunkMap::is_complete() const {
  const auto is_done = [](const auto& entry) { return entry.second.state == State::done; };
  return unread().empty() && std::all_of(chunks_.begin(), chunks_.end(), is_done);
}

bool ChunkMap::is_seen_by_all(Xid top_level) const {
  return std::all_of(chunks_.begin(), chunks_.end(), [&](const auto& entry) {
    return entry.second.snapshot.is_visible(top_level);
  });
}

Lsn ChunkMap::read_upto() const {
  Lsn greatest = kNoLsn;
  for (const auto& [from, chunk] : chunks_)
    greatest = std::max(greatest, chunk.read_upto);
  return greatest;
}

}  // namespace freshet
