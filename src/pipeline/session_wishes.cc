// What operators want of single tables (`freshet table`), as the state store tells of it. A paused
// table is left out for as long as the wish stands; who left it out cannot bring back what it
// missed, so that it is copied again afterwards.
#include <algorithm>
#include <set>
#include <span>
#include <vector>

#include "base/log.h"
#include "base/try.h"
#include "pipeline/session.h"

namespace freshet {
namespace {

std::set<TableName> paused_tables(std::span<const WishedTable> wishes) {
  std::set<TableName> paused;
  for (const WishedTable& wished : wishes) {
    if (wished.wish == TableWish::paused) paused.insert(wished.table);
  }
  return paused;
}

}  // namespace

// Which tables are left out is settled when a session begins: other ones need another session.
void Session::take_pauses() {
  paused_ = paused_tables(stored_.wishes);
}

bool Session::is_to_resync(const TableName& table) const {
  return std::any_of(stored_.wishes.begin(), stored_.wishes.end(), [&](const WishedTable& wished) {
    return wished.table == table && wished.wish == TableWish::resync;
  });
}

Status Session::look_at_wishes() {
  FRESHET_TRY(stored_.wishes, options_.state.load_wishes(options_.config.pipeline));
  for (const WishedTable& wished : stored_.wishes) {
    const bool is_ours = plans_.contains(wished.table);
    if (wished.wish == TableWish::resync && is_ours) FRESHET_TRY(grant_resync(wished));
  }
  const std::set<TableName> paused = paused_tables(stored_.wishes);
  for (const auto& [name, plan] : plans_) {
    if (paused.contains(name) == is_paused(name)) continue;
    log_info(is_paused(name) ? "a table was resumed" : "a table was paused",
             {{"table", to_string(name)}});
    wants_restart_ = true;
  }
  return ok_status();
}

// The wish goes last: whoever dies before that copies the table once more. One that is left out
// here has been recorded so, and is therefore copied once it is not. Where the next session has to
// know of the wish, it is that which forgets it. One that may not be read keeps its wish until a
// look at the source finds that it may.
Status Session::grant_resync(const WishedTable& wished) {
  if (waits_to_be_readable(wished.table)) return ok_status();
  FRESHET_TRY(resync(wished.table, "an operator asked for it", {}));
  const auto released = std::erase_if(
      options_.set_aside, [&](const auto& entry) { return entry.first.second == wished.table; });
  if (released > 0) log_info("the table is tried again", {{"table", to_string(wished.table)}});
  wants_restart_ = wants_restart_ || released > 0 || plans_.at(wished.table).kept != nullptr;
  if (wants_restart_) return ok_status();
  return options_.state.forget_wish(options_.lease, wished);
}

// A table that all destinations have to copy from its beginning anyway would be copied twice. One
// that was set aside as it was to be emptied for the wish would be for ever.
Status Session::forget_granted_wishes() {
  for (const WishedTable& wished : stored_.wishes) {
    if (wished.wish != TableWish::resync || !plans_.contains(wished.table)) continue;
    const bool is_granted = std::all_of(lanes_.begin(), lanes_.end(), [&](const auto& lane) {
      const auto entry = options_.set_aside.find({lane->name(), wished.table});
      return lane->router().phase(wished.table) == TablePhase::pending ||
             (entry != options_.set_aside.end() && entry->second.is_tried);
    });
    if (is_granted) FRESHET_TRY(options_.state.forget_wish(options_.lease, wished));
  }
  for (auto& [where, entry] : options_.set_aside)
    entry.is_tried = false;
  return ok_status();
}

}  // namespace freshet
