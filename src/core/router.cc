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

void Router::add_streaming(const TableName& table) {
  routes_[table] = Route{.phase = TablePhase::streaming, .judged = {}, .snapshot = {}};
}

void Router::add_pending(const TableName& table) {
  routes_[table] = Route{.phase = TablePhase::pending, .judged = {}, .snapshot = {}};
}

Verdict Router::judge(const TableName& table, Xid top_level) {
  Route& route = get(table);
  switch (route.phase) {
    case TablePhase::streaming:
      return Verdict::apply;
    case TablePhase::pending:
      route.judged.push_back(top_level);
      return Verdict::skip;
    case TablePhase::copying:
    case TablePhase::catching_up:
      if (route.snapshot && route.snapshot->is_visible(top_level)) return Verdict::skip;
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
  route.phase = TablePhase::copying;
}

bool Router::may_begin_copy(const TableName& table, const Snapshot& snapshot) {
  Route& route = get(table);
  // What one snapshot sees every later one sees as well: those need not be asked about again.
  std::erase_if(route.judged, [&](Xid xid) { return snapshot.is_visible(xid); });
  return route.phase == TablePhase::pending && route.judged.empty();
}

void Router::begin_copy(const TableName& table, Snapshot snapshot) {
  Route& route = get(table);
  FRESHET_CHECK(route.phase == TablePhase::pending);
  FRESHET_CHECK(route.judged.empty());
  route.phase = TablePhase::copying;
  route.snapshot = std::move(snapshot);
}

void Router::finish_copy(const TableName& table, Lsn settled_at) {
  Route& route = get(table);
  FRESHET_CHECK(route.phase == TablePhase::copying);
  route.phase = TablePhase::catching_up;
  route.settled_at = settled_at;
}

bool Router::may_catch_up(const TableName& table, Position position) const {
  const Route& route = get(table);
  return route.phase == TablePhase::catching_up && has_passed(position, route.settled_at);
}

void Router::set_streaming(const TableName& table) {
  Route& route = get(table);
  FRESHET_CHECK(route.phase == TablePhase::catching_up);
  route = Route{.phase = TablePhase::streaming, .judged = {}, .snapshot = {}};
}

void Router::restart_copy(const TableName& table) {
  get(table) = Route{.phase = TablePhase::pending, .judged = {}, .snapshot = {}};
}

bool Router::is_unsettled(const TableName& table, Position position) const {
  const Route& route = get(table);
  if (!route.snapshot) return false;
  if (route.phase == TablePhase::copying) return true;
  return route.phase == TablePhase::catching_up && !has_passed(position, route.settled_at);
}

TablePhase Router::phase(const TableName& table) const {
  return get(table).phase;
}

bool Router::is_all_streaming() const {
  return std::all_of(routes_.begin(), routes_.end(),
                     [](const auto& entry) { return entry.second.phase == TablePhase::streaming; });
}

std::vector<TableName> Router::tables_in(TablePhase phase) const {
  std::vector<TableName> found;
  for (const auto& [name, route] : routes_) {
    if (route.phase == phase) found.push_back(name);
  }
  return found;
}

}  // namespace freshet
