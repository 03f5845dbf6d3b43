// What happens at the source without the stream telling of it: looked for now and then.
#include <algorithm>

#include "base/log.h"
#include "base/try.h"
#include "pg/sqlstate.h"
#include "pipeline/session.h"
#include "source/ddl_capture.h"

namespace freshet {
namespace {

constexpr std::chrono::minutes kUnlookedMax{1};

}  // namespace

// A source that is away is the reader's business: nothing is concluded from that here.
Status Session::look_after_source() {
  if (!sql_) {
    auto opened = pg::Connection::open(connect_options("control"));
    if (!opened.ok()) return ok_status();
    sql_ = std::move(opened).value();
    if (!limit_looks().ok()) sql_.reset();
  }
  if (sql_) look_at_slots_room();
  // Nor from a standby that shows its past, after a crash.
  if (sql_ && is_standby_) {
    const auto replayed = source::load_insert_lsn(*sql_);
    if (!replayed.ok()) sql_.reset();
    if (!replayed.ok() || *replayed < reader_->received().end) return ok_status();
  }
  if (sql_) FRESHET_TRY(look_at_publications());
  if (sql_) FRESHET_TRY(look_at_tables());
  if (sql_ && !wants_restart_) FRESHET_TRY(look_for_new_tables());
  return ok_status();
}

// Some of them lock what they look at. Whoever else locks it must not keep us from stopping.
Status Session::limit_looks() {
  return sql_->execute("SET lock_timeout = '1s'");
}

// What is locked is looked at the next time; a connection that is lost is opened again then.
void Session::give_up_look(const Error& error) {
  if (error.sqlstate() != pg::sqlstate::kLockNotAvailable) {
    sql_.reset();
  } else if (Clock::now() - looked_ > kUnlookedMax) {
    log_error(LogLevel::warn,
              "a locked table keeps changes from being seen that no stream tells of", error);
    looked_ = Clock::now();
  }
}

void Session::look_at_slots_room() {
  if (!options_.slot_watch.look(*sql_, slot_.slot_name).ok()) sql_.reset();
}

std::vector<TableName> Session::table_names() const {
  std::vector<TableName> names;
  for (const auto& [name, plan] : plans_)
    names.push_back(name);
  return names;
}

// What was seen last, by an earlier session; of tables that are new, what is there now.
Status Session::begin_watching() {
  FRESHET_TRY(auto kept, source::parse_watched(stored_.watched));
  std::vector<TableName> fresh = table_names();
  std::erase_if(fresh, [&](const TableName& name) { return kept.contains(name); });
  if (!fresh.empty()) {
    FRESHET_TRY(auto looked, source::look_at_tables(*sql_, fresh, publication_names()));
    for (std::size_t i = 0; i < fresh.size(); ++i)
      kept.emplace(fresh[i], std::move(looked[i]));
  }
  for (const auto& [name, plan] : plans_)
    watched_.push_back(std::move(kept.at(name)));
  return ok_status();
}

// A publication that is gone is a mere warning to some servers.
Status Session::look_at_publications() {
  for (const std::string& name : publication_names()) {
    const auto exists = source::has_publication(*sql_, name);
    if (!exists.ok()) {
      give_up_look(exists.error());
      return ok_status();
    }
    if (*exists) continue;
    return Error{ErrorKind::gap,
                 "the publication was dropped or renamed; its changes are no longer sent"}
        .with("publication", name);
  }
  return ok_status();
}

Status Session::look_at_tables() {
  const std::vector<TableName> names = table_names();
  auto looked = source::look_at_tables(*sql_, names, publication_names());
  if (!looked.ok()) {
    give_up_look(looked.error());
    return ok_status();
  }
  const auto made_again = find_made_again(*looked);
  if (!made_again.ok()) {
    give_up_look(made_again.error());
    return ok_status();
  }
  for (std::size_t i = 0; i < watched_.size(); ++i) {
    source::WatchedTable& now = (*looked)[i];
    take_up_again(names[i], now.can_select);
    std::vector<source::TableNews> all = source::compare(watched_[i], now);
    if (all.empty() && made_again->contains(names[i])) {
      all.push_back({.kind = source::TableNews::Kind::redefined,
                     .what = std::string{source::kColumnMadeAgain}});
    }
    for (source::TableNews& news : all) {
      const auto may_come = may_be_told(names[i], now, news);
      if (!may_come.ok()) {
        give_up_look(may_come.error());
        return ok_status();
      }
      if (*may_come) {
        now = watched_[i];
        break;
      }
      FRESHET_TRY(answer(names[i], news));
    }
  }
  watched_ = std::move(looked).value();
  looked_ = Clock::now();
  // Kept only now: news that found no answer are news to the next session as well.
  std::string text = source::to_text(names, watched_);
  if (text == stored_.watched) return ok_status();
  stored_.watched = std::move(text);
  return options_.state.store_watched(options_.lease, stored_.watched);
}

// Looks alone do not tell: between two of them a column may have had the name and type of another,
// or none. What a lane follows is compared as well, once for each pair of definitions.
Result<std::set<TableName>> Session::find_made_again(std::span<const source::WatchedTable> looked) {
  struct Apart {
    std::size_t place;  // of its name
    std::pair<SchemaPtr, std::string> definitions;
  };

  std::vector<Apart> apart;
  std::vector<TableName> names;
  auto watched = looked.begin();
  for (const auto& [name, plan] : plans_) {
    const source::WatchedTable& now = *watched++;
    for (const auto& lane : lanes_) {
      const SchemaPtr followed = lane->followed(name);
      if (!followed || plan.kept || followed->definition.empty()) continue;
      if (followed->definition == now.definition || now.relation != followed->relation) continue;
      if (compared_.contains({followed, now.definition}) || !is_copied(*lane, name)) continue;
      if (names.empty() || names.back() != name) names.push_back(name);
      apart.push_back({names.size() - 1, {followed, now.definition}});
    }
  }
  std::set<TableName> made_again;
  if (names.empty()) return made_again;
  FRESHET_TRY(const source::DdlCaptureState capture, source::look_at_ddl_capture(*sql_));
  if (capture.kind == source::DdlCaptureState::Kind::installed) return made_again;
  FRESHET_TRY(const auto schemas, source::load_schemas(*sql_, names));
  for (auto& [place, definitions] : apart) {
    if (source::has_column_made_again(*definitions.first, schemas[place])) {
      made_again.insert(names[place]);
    } else {
      compared_.insert(std::move(definitions));
    }
  }
  return made_again;
}

// Of one that is about to be copied, nothing is followed yet.
bool Session::is_copied(const Lane& lane, const TableName& table) const {
  const std::lock_guard lock(router_mutex_);
  return lane.router().knows(table) && lane.router().phase(table) != TablePhase::pending;
}

// With DDL capture the stream tells of a new definition, if only it gets there: until then the
// catalogue's news wait, or a table would be copied for what a lane is about to follow. Without it
// an answer that needs it is none.
Result<bool> Session::may_be_told(const TableName& table,
                                  const source::WatchedTable& now,
                                  source::TableNews& news) {
  if (news.kind != source::TableNews::Kind::redefined) return false;
  FRESHET_TRY(const source::DdlCaptureState capture, source::look_at_ddl_capture(*sql_));
  if (capture.kind != source::DdlCaptureState::Kind::installed) {
    if (news.needs_capture) news.answer = {};
    return false;
  }
  Awaited& awaited = awaited_[table];
  if (awaited.definition != now.definition) {
    FRESHET_TRY(const Lsn upto, source::load_insert_lsn(*sql_));
    awaited = {.upto = upto, .definition = now.definition};
  }
  const bool is_there = std::all_of(lanes_.begin(), lanes_.end(), [&](const auto& lane) {
    return has_passed(lane->written(), awaited.upto);
  });
  if (is_there) awaited_.erase(table);
  return !is_there;
}

// Where the publications decide, not a list of tables.
Status Session::look_for_new_tables() {
  if (!options_.config.source.tables.empty()) return ok_status();
  const auto published = source::list_published_tables(*sql_, publication_names());
  if (!published.ok()) {
    give_up_look(published.error());
    return ok_status();
  }
  for (const TableName& name : *published) {
    if (plans_.contains(name)) continue;
    log_info("a table was added to the publication", {{"table", to_string(name)}});
    wants_restart_ = true;
  }
  return ok_status();
}

Status Session::answer(const TableName& table, const source::TableNews& news) {
  using Kind = source::TableNews::Kind;
  const bool is_to_resync = options_.config.source.on_gap == OnGap::resync;
  const bool is_lost = news.kind == Kind::gone || news.kind == Kind::unpublished;
  // When it is resumed all of it is copied, as it is then.
  if (is_paused(table) && !is_lost) return ok_status();
  switch (news.kind) {
    case Kind::gone:
    case Kind::unpublished:
      return Error{ErrorKind::gap, news.what}.with("table", to_string(table));
    case Kind::republished:
    case Kind::missed:
      if (!is_to_resync) {
        return Error{ErrorKind::gap, news.what + "; rows or changes of it were not sent"}
            .with("table", to_string(table))
            .fix("source.on_gap: resync copies the table again");
      }
      // What is published of it is looked up when a session begins: none may be copied before.
      if (news.kind == Kind::republished && copier_) copier_->stop();
      FRESHET_TRY(resync(table, news.what, news.answer));
      wants_restart_ = wants_restart_ || news.kind == Kind::republished;
      return ok_status();
    case Kind::redefined:
      if (news.is_of_new_column && plans_.at(table).kept) return ok_status();
      if (plans_.at(table).schema_changes == SchemaChanges::halt) {
        if (is_set_aside(table)) return ok_status();
        return Error{ErrorKind::schema, news.what + ", where the table is to halt"}
            .with("table", to_string(table))
            .fix("have it copied as it is now: freshet table resync PIPELINE " + to_string(table));
      }
      return resync(table, news.what, news.answer);
    case Kind::kept_rows:
      if (is_to_resync) return resync(table, news.what, news.answer);
      log_warn(news.what + "; the destinations keep them", {{"table", to_string(table)}});
      return ok_status();
    case Kind::suspect:
      log_warn(news.what, {{"table", to_string(table)}});
      return ok_status();
  }
  return ok_status();
}

Status Session::resync(const TableName& table,
                       std::string_view reason,
                       const source::FollowedState& answer) {
  for (const auto& lane : lanes_)
    FRESHET_TRY(lane->begin_copy_again(table, reason, answer));
  return ok_status();
}

}  // namespace freshet
