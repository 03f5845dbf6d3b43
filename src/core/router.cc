#include "core/router.h"

#include <algorithm>

#include "base/try.h"

namespace freshet {
namespace {

constexpr std::uint64_t kWalPageBytes = 8192;
constexpr std::uint64_t kShortPageHeaderBytes = 24;
constexpr std::uint64_t kLongPageHeaderBytes = 40;

}  // namespace

bool has_passed(Position position, Lsn lsn) noexcept {
  const std::uint64_t at = to_integer(lsn);
  const std::uint64_t in_page = at % kWalPageBytes;
  const bool is_after_header = in_page == kShortPageHeaderBytes || in_page == kLongPageHeaderBytes;
  return to_integer(position.end) >= (is_after_header ? at - in_page : at);
}

const Router::Route& Router::get(const TableName& table) const {
  const auto found = routes_.find(table);
  FRESHET_CHECK(found != routes_.end());
  return found->second;
}

Router::Route& Router::get(const TableName& table) {
  const auto found = routes_.find(table);
  FRESHET_CHECK(found != routes_.end());
  return found->second;
}

void Router::add(const TableName& table, TablePhase phase) {
  const auto [route, is_new] =
      routes_.insert_or_assign(table, Route{.phase = phase, .judged_upto = start_});
  FRESHET_CHECK(is_new);
  ++counts_[static_cast<std::size_t>(phase)];
}

void Router::set_phase(Route& route, TablePhase phase) {
  --counts_[static_cast<std::size_t>(route.phase)];
  route.phase = phase;
  ++counts_[static_cast<std::size_t>(phase)];
}

void Router::add_streaming(const TableName& table) {
  add(table, TablePhase::streaming);
}

void Router::add_pending(const TableName& table) {
  add(table, TablePhase::pending);
}

void Router::add_set_aside(const TableName& table, TablePhase phase) {
  add(table, phase);
}

Verdict Router::judge(const TableName& table, const Committed& transaction) {
  Route& route = get(table);
  route.judged_upto = std::max(route.judged_upto, transaction.end);
  if (route.chunks) return Verdict::by_key;
  switch (route.phase) {
    case TablePhase::streaming:
      return Verdict::apply;
    case TablePhase::pending:
      route.judged.push_back(transaction.xid);
      return Verdict::skip;
    case TablePhase::copying:
    case TablePhase::catching_up:
      if (!route.snapshot) return Verdict::hold;
      switch (route.snapshot->sight_of(transaction)) {
        case Sight::seen:
          return Verdict::skip;
        case Sight::unseen:
          return Verdict::hold;
        case Sight::unclear:
          restart_copy(table);
          route.judged.push_back(transaction.xid);
          return Verdict::skip;
      }
      return Verdict::hold;
    case TablePhase::paused:
    case TablePhase::errored:
      return Verdict::skip;
  }
  return Verdict::skip;
}

void Router::begin_copy_of_slot(const TableName& table) {
  Route& route = get(table);
  FRESHET_CHECK(route.phase == TablePhase::pending);
  // Nothing may have been streamed before the copy was declared: that is what the owner promises.
  FRESHET_CHECK(route.judged.empty());
  set_phase(route, TablePhase::copying);
}

bool Router::may_begin_copy(const TableName& table, const Snapshot& snapshot) {
  Route& route = get(table);
  // By LSN, also what an earlier copy held or an earlier process was sent: a standby that crashed
  // may let us in before it has replayed all of that again.
  if (const auto& replayed = snapshot.replayed()) {
    if (route.judged_upto > replayed->before) return false;
    route.judged.clear();
  }
  // What one snapshot sees every later one sees as well: those need not be asked about again.
  std::erase_if(route.judged, [&](Xid xid) { return snapshot.is_visible(xid); });
  return route.phase == TablePhase::pending && route.judged.empty();
}

void Router::begin_copy(const TableName& table, Snapshot snapshot) {
  Route& route = get(table);
  FRESHET_CHECK(route.phase == TablePhase::pending);
  FRESHET_CHECK(route.judged.empty());
  set_phase(route, TablePhase::copying);
  route.snapshot = std::move(snapshot);
}

void Router::begin_chunked_copy(const TableName& table,
                                std::vector<std::string> columns,
                                std::uint32_t relfilenode) {
  Route& route = get(table);
  FRESHET_CHECK(route.phase == TablePhase::pending);
  set_phase(route, TablePhase::copying);
  route.chunks.emplace(std::move(columns), relfilenode);
}

void Router::resume_chunk(const TableName& table,
                          KeyRange range,
                          Snapshot snapshot,
                          Lsn read_upto) {
  FRESHET_CHECK(is_chunked(table));
  ChunkMap& chunks = *get(table).chunks;
  chunks.finish(chunks.begin(std::move(range), std::move(snapshot)), read_upto);
}

KeyVerdict Router::judge_key(const TableName& table, std::string_view key, Xid top_level) {
  Route& route = get(table);
  FRESHET_CHECK(route.chunks.has_value());
  const auto remember = [&](std::vector<Xid>& xids) {
    if (xids.empty() || xids.back() != top_level) xids.push_back(top_level);
  };
  ChunkMap::Chunk* const chunk = route.chunks->find(key);
  if (chunk == nullptr) {
    remember(route.judged);
    return {Verdict::skip, ChunkId{0}};
  }
  if (chunk->snapshot.is_visible(top_level)) return {Verdict::skip, chunk->id};
  if (chunk->state == ChunkMap::State::done) return {Verdict::apply, chunk->id};
  remember(chunk->held);
  return {Verdict::hold, chunk->id};
}

const std::vector<std::string>& Router::chunk_columns(const TableName& table) const {
  static const std::vector<std::string> kNone;
  const Route& route = get(table);
  return route.chunks ? route.chunks->columns() : kNone;
}

std::uint32_t Router::chunk_heap(const TableName& table) const {
  const Route& route = get(table);
  return route.chunks ? route.chunks->relfilenode() : 0;
}

bool Router::is_seen_by_all_chunks(const TableName& table, Xid top_level) {
  Route& route = get(table);
  if (!route.chunks || !route.chunks->is_seen_by_all(top_level)) return false;
  route.judged.push_back(top_level);
  return true;
}

bool Router::may_begin_chunk(const TableName& table, const Snapshot& snapshot) {
  Route& route = get(table);
  std::erase_if(route.judged, [&](Xid xid) { return snapshot.is_visible(xid); });
  return route.chunks.has_value() && route.judged.empty();
}

ChunkId Router::begin_chunk(const TableName& table, KeyRange range, Snapshot snapshot) {
  Route& route = get(table);
  FRESHET_CHECK(route.chunks.has_value() && route.judged.empty());
  return route.chunks->begin(std::move(range), std::move(snapshot));
}

bool Router::finish_chunk(const TableName& table, ChunkId chunk, Lsn read_upto) {
  Route& route = get(table);
  return route.chunks.has_value() && route.chunks->finish(chunk, read_upto);
}

// What waited for the chunk is thrown away: the next snapshot must see it.
void Router::drop_chunk(const TableName& table, ChunkId chunk) {
  Route& route = get(table);
  if (!route.chunks) return;
  const std::vector<Xid> held = route.chunks->drop(chunk);
  route.judged.insert(route.judged.end(), held.begin(), held.end());
}

void Router::restart_copy_whole(const TableName& table) {
  restart_copy(table);
  get(table).is_kept_whole = true;
}

std::vector<KeyRange> Router::unread(const TableName& table) const {
  const Route& route = get(table);
  return route.chunks ? route.chunks->unread() : std::vector<KeyRange>{};
}

bool Router::has_all_chunks(const TableName& table) const {
  const Route& route = get(table);
  return route.chunks.has_value() && route.chunks->is_complete();
}

Lsn Router::chunks_read_upto(const TableName& table) const {
  const Route& route = get(table);
  return route.chunks ? route.chunks->read_upto() : kNoLsn;
}

void Router::finish_copy(const TableName& table, Lsn settled_at) {
  Route& route = get(table);
  FRESHET_CHECK(route.phase == TablePhase::copying);
  set_phase(route, TablePhase::catching_up);
  route.settled_at = settled_at;
}

bool Router::may_catch_up(const TableName& table, Position position) const {
  const Route& route = get(table);
  return route.phase == TablePhase::catching_up && has_passed(position, route.settled_at);
}

void Router::set_streaming(const TableName& table) {
  Route& route = get(table);
  FRESHET_CHECK(route.phase == TablePhase::catching_up);
  set_phase(route, TablePhase::streaming);
  route = Route{.phase = TablePhase::streaming, .judged_upto = route.judged_upto};
}

void Router::restart_copy(const TableName& table) {
  Route& route = get(table);
  set_phase(route, TablePhase::pending);
  route = Route{.phase = TablePhase::pending,
                .judged_upto = route.judged_upto,
                .is_kept_whole = route.is_kept_whole};
}

bool Router::is_unsettled(const TableName& table, Position position) const {
  const Route& route = get(table);
  if (!route.snapshot || route.snapshot->replayed()) return false;
  if (route.phase == TablePhase::copying) return true;
  return route.phase == TablePhase::catching_up && !has_passed(position, route.settled_at);
}

TablePhase Router::phase(const TableName& table) const {
  return get(table).phase;
}

bool Router::is_all_streaming() const {
  return count_in(TablePhase::pending) + count_in(TablePhase::copying) +
             count_in(TablePhase::catching_up) ==
         0;
}

std::vector<TableName> Router::tables_in(TablePhase phase) const {
  std::vector<TableName> found;
  if (count_in(phase) == 0) return found;
  for (const auto& [name, route] : routes_) {
    if (route.phase == phase) found.push_back(name);
  }
  return found;
}

}  // namespace freshet
