#include "pipeline/session.h"

#include <algorithm>

#include "base/log.h"
#include "base/try.h"

namespace freshet {
namespace {

constexpr std::chrono::milliseconds kWatchInterval{20};
// Gaps are to be noticed within 10 s.
constexpr std::chrono::seconds kLookInterval{5};
constexpr std::chrono::seconds kWishInterval{1};

}  // namespace

Session::Session(Options options)
    : options_(std::move(options)),
      interrupter_(std::make_shared<pg::Interrupter>()),
      stopping_(std::make_shared<pg::Interrupter>()) {}

Session::~Session() {
  stop_threads(false);
}

Status Session::run(const std::stop_token& stop, const Until& until) {
  // At once: who would ask the lanes to stop may itself wait for one that waits for a locked table.
  const std::stop_callback stopping{stop, [this] { stopping_->trigger(); }};
  const auto start = [&]() -> Status {
    FRESHET_TRY(open_source(stop));
    FRESHET_TRY(plan_tables(stop));
    FRESHET_TRY(open_destinations());
    FRESHET_TRY(find_or_create_slot(stop));
    FRESHET_TRY(make_lanes());
    FRESHET_TRY(forget_granted_wishes());
    return start_threads();
  };
  Status status = start();
  if (status.ok()) {
    set_activity({});
    status = watch(stop, until);
  }
  // A request to an embedding service may take long; what it was for is streamed again.
  if (stop.stop_requested()) options_.transforms.cancel();
  stop_threads(status.ok());
  if (status.ok()) status = failure_but_stopped();
  // What a lane was asked to do as it failed says only that: the lane has told why by now.
  if (is_cancelled(status) && failure_.has_failed()) status = failure_.status();
  if (!status.ok() && status.error().find("reason") == kTooLargeAsText)
    status = naming_suspects(std::move(status).error());
  if (!status.ok()) status = naming_copy_condition(std::move(status).error());
  if (!status.ok() && !stop.stop_requested()) {
    FRESHET_TRY(const bool is_set_aside, set_aside_culprit(status.error()));
    if (is_set_aside || may_replace_after(status.error())) {
      wants_restart_ = true;
      return ok_status();
    }
  }
  return is_cancelled(status) && stop.stop_requested() ? ok_status() : status;
}

// Nothing is made yet that a stop would have to take away, and some of it waits for locked tables.
Status Session::plan_tables(const std::stop_token& stop) {
  const std::stop_callback interrupt(stop, [this] { sql_->interrupt(); });
  FRESHET_TRY(load_tables());
  FRESHET_TRY(begin_watching());
  FRESHET_TRY(plan_publications());
  FRESHET_TRY(check_binary());
  FRESHET_TRY(check_copy_conditions());
  return settle_policies();
}

// The server does not say which table's value it could not send: only few can hold one so large.
Error Session::naming_suspects(Error error) {
  std::vector<Oid> relations;
  for (const auto& [name, plan] : plans_)
    relations.push_back(plan.catalog.schema.relation);
  auto connection = pg::Connection::open(connect_options("control"));
  if (!connection.ok()) return error;
  const auto suspects = source::find_large_bytea(**connection, relations);
  if (!suspects.ok()) return error;
  for (const TableName& table : *suspects)
    error.add("table", to_string(table));
  return error;
}

Status Session::watch(const std::stop_token& stop, const Until& until) {
  if (sql_ && !limit_looks().ok()) sql_.reset();
  while (!stop.stop_requested()) {
    failure_.wait_for(kWatchInterval);
    FRESHET_TRY(failure_.status());
    FRESHET_TRY(options_.renewal.status());
    set_urgency(until);
    const auto now = Clock::now();
    // Before asking whether all is done: a table that is to be copied again is not.
    if (now - last_wish_look_ >= kWishInterval) {
      FRESHET_TRY(look_at_wishes());
      if (wants_restart_) return ok_status();
      last_wish_look_ = now;
    }
    FRESHET_TRY(const bool is_done, has_reached(until));
    if (is_done) return check_all_arrived();
    if (now - last_look_ >= kLookInterval) {
      FRESHET_TRY(look_after_source());
      if (wants_restart_) return ok_status();
      last_look_ = now;
    }
  }
  return ok_status();
}

bool Session::is_all_streaming() const {
  const std::lock_guard lock(router_mutex_);
  return std::all_of(lanes_.begin(), lanes_.end(),
                     [](const auto& lane) { return lane->router().is_all_streaming(); });
}

void Session::set_urgency(const Until& until) {
  const bool is_streaming = is_all_streaming();
  if (is_streaming) options_.slot_losses = 0;
  is_urgent_.store(until.kind != Until::Kind::stopped || !is_streaming, std::memory_order_relaxed);
}

Result<bool> Session::has_reached(const Until& until) {
  if (until.kind == Until::Kind::stopped || !is_all_streaming()) return false;
  Lsn target = until.lsn;
  if (until.kind == Until::Kind::caught_up) {
    if (caught_up_target_ == kNoLsn) {
      if (!sql_) return false;  // opened again by the next look
      FRESHET_TRY(caught_up_target_, source::load_insert_lsn(*sql_));
      // The xid makes the server flush what it has inserted soon, instead of when it next has to.
      FRESHET_TRY(
          sql_->execute("SELECT CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN "
                        "pg_catalog.pg_current_xact_id() END"));
    }
    target = caught_up_target_;
  }
  return std::all_of(lanes_.begin(), lanes_.end(),
                     [&](const auto& lane) { return has_passed(lane->durable(), target); });
}

// A sync that went as far as it could, but left tables out, is no success; unless somebody wants it
// so.
Status Session::check_all_arrived() const {
  for (const auto& [where, entry] : options_.set_aside) {
    if (!is_paused(where.second))
      return Error{ErrorKind::data, "a table was left out: " + entry.reason};
  }
  for (const auto& [name, plan] : plans_) {
    if (is_paused(name))
      log_warn("the table is paused and was left out", {{"table", to_string(name)}});
  }
  return ok_status();
}

// A lane that was broken off as the session ended did not fail.
Status Session::failure_but_stopped() const {
  Status status = failure_.status();
  return is_cancelled(status) ? ok_status() : status;
}

void Session::stop_threads(bool is_clean) {
  stopping_->trigger();
  if (reader_) reader_->stop_reading();
  if (copier_) copier_->stop();
  for (const auto& lane : lanes_)
    lane->close();
  if (reader_ && is_clean && !failure_.has_failed()) reader_->finish();
  if (reader_) reader_->abort();
  if (reader_) options_.stream.acknowledged = reader_->acknowledged().end;
  interrupter_->trigger();
}

void Session::set_activity(std::string activity) {
  const std::lock_guard lock(activity_mutex_);
  if (activity != activity_ && !activity.empty()) log_debug(activity);
  activity_ = std::move(activity);
}

pg::ConnectOptions Session::connect_options(const std::string& role) const {
  return {.url = options_.config.source.url,
          .application_name = application_name(options_.config.pipeline) + " " + role,
          .interrupter = role == "copy" ? interrupter_ : nullptr};
}

std::string Session::slot_name() const {
  const std::string& configured = options_.config.source.slot;
  return configured.empty() ? default_object_name(options_.config) : configured;
}

std::vector<std::string> Session::publication_names() const {
  const std::vector<std::string>& configured = options_.config.source.publications;
  if (!configured.empty()) return configured;
  return {default_object_name(options_.config)};
}

void Session::add_stats(PipelineStats& stats) const {
  const std::lock_guard lock(threads_mutex_);
  for (const auto& lane : lanes_)
    lane->add_stats(stats);
  std::string activity = copier_ ? copier_->activity() : std::string{};
  if (activity.empty()) {
    const std::lock_guard activity_lock(activity_mutex_);
    activity = activity_;
  }
  stats.activity = activity.empty() ? "streaming" : std::move(activity);
  if (!reader_) return;
  stats.received = reader_->received();
  stats.acknowledged = reader_->acknowledged();
  stats.changes_received = reader_->changes_received();
  stats.bytes_received = reader_->bytes_received();
  stats.reconnects = reader_->reconnects();
  stats.is_caught_up = !stats.tables.empty() &&
                       std::all_of(stats.tables.begin(), stats.tables.end(),
                                   [](const TableStats& table) {
                                     return table.phase == TablePhase::streaming ||
                                            table.phase == TablePhase::paused;
                                   }) &&
                       std::all_of(lanes_.begin(), lanes_.end(), [&](const auto& lane) {
                         return lane->is_idle() && lane->written() >= stats.received;
                       });
}

}  // namespace freshet
