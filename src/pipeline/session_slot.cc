// A session's slot: found again, made, or made anew where the changes that it kept are lost.
#include <algorithm>
#include <random>

#include "base/log.h"
#include "base/sql_quote.h"
#include "base/try.h"
#include "pipeline/session.h"

namespace freshet {
namespace {

// On a standby. Once is enough where no transaction was open, or one that ended since.
constexpr std::string_view kWaitsForPrimary =
    "the slot can be made once the primary has logged its running transactions, which it does "
    "every "
    "15 s or so if it is written to; SELECT pg_log_standby_snapshot(); there makes it quick (again "
    "if transactions were open)";

// A slot that is lost again and again before the copy is done needs somebody to look.
constexpr unsigned kSlotLossesMax = 3;

std::string random_uuid() {
  std::random_device device;
  std::uint32_t words[4] = {device(), device(), device(), device()};
  words[1] = (words[1] & 0xFFFF0FFFU) | 0x4000U;
  words[2] = (words[2] & 0x3FFFFFFFU) | 0x80000000U;
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:04x}{:08x}", words[0], words[1] >> 16U,
                     words[1] & 0xFFFFU, words[2] >> 16U, words[2] & 0xFFFFU, words[3]);
}

}  // namespace

// Truth is kept at the destinations first, in the state store second.
std::optional<SlotIdentity> Session::known_slot() const {
  for (const OpenDestination& opened : destinations_) {
    if (!opened.state.slot || opened.state.slot->consistent_point == kNoLsn) continue;
    std::optional<SlotIdentity> known = opened.state.slot;
    // A promotion since is kept in the state store alone.
    if (has_run_before() && stored_.slot->epoch == known->epoch)
      known->timeline = std::max(known->timeline, stored_.slot->timeline);
    return known;
  }
  if (has_run_before()) return stored_.slot;
  return {};
}

Status Session::find_or_create_slot(const std::stop_token& stop) {
  if (const std::optional<SlotIdentity> known = known_slot()) return resume_slot(*known, stop);
  return options_.config.source.adopts_slot ? take_over_slot() : create_slot(stop);
}

Status Session::resume_slot(const SlotIdentity& slot, const std::stop_token& stop) {
  slot_ = slot;
  FRESHET_TRY(const source::IdentityCheck check, look_at_slot());
  FRESHET_TRY(check_replayed(check.greatest));
  warn_of_slot(check.slot);
  Status checked = source::check_identity(check);
  if (!checked.ok()) {
    const bool is_to_resync = options_.config.source.on_gap == OnGap::resync;
    if (!is_to_resync || !source::is_slot_loss(checked.error())) return checked;
    return replace_slot(check.slot, checked.error(), stop);
  }
  confirmed_flush_ = check.slot->confirmed_flush;
  if (!is_standby_ && slot_.timeline != system_.timeline) follow_promotion();
  for (OpenDestination& opened : destinations_) {
    if (!opened.state.position) FRESHET_TRY(adopt(opened, first_position()));
  }
  if (!stored_.slot || !(*stored_.slot == slot_))
    FRESHET_TRY(options_.state.store_slot(options_.lease, slot_));
  return ok_status();
}

// An adopted slot may begin later than it stands, which a start that was cut off did not say yet.
Position Session::first_position() const {
  return {std::max(confirmed_flush_, slot_.consistent_point)};
}

// What the server has under the slot's name, beside what the destinations hold.
Result<source::IdentityCheck> Session::look_at_slot() {
  source::IdentityCheck check{.stored = slot_, .now = system_, .slot = {}, .least_durable = {}};
  FRESHET_TRY(check.slot, source::find_slot(*sql_, slot_.slot_name));
  for (const OpenDestination& opened : destinations_) {
    const std::optional<SlotIdentity>& held = opened.state.slot;
    if (held && held->system_identifier != slot_.system_identifier) {
      return Error{ErrorKind::gap, "the destinations hold positions of different servers"}.with(
          "destination", opened.name);
    }
    check.has_other_slots = check.has_other_slots || (held && held->epoch != slot_.epoch);
    const std::optional<Position>& position = opened.state.position;
    if (!position) continue;
    check.least_durable = std::min(check.least_durable.value_or(*position), *position);
    check.greatest = std::max(check.greatest, *position);
  }
  // A destination that knows no position is copied afresh, so that nothing can be missing there.
  const bool is_all_copied = std::none_of(plans_.begin(), plans_.end(), [this](const auto& entry) {
    return is_uncopied(entry.second);
  });
  if (!check.least_durable && check.slot && is_all_copied)
    check.least_durable = Position{check.slot->confirmed_flush};
  const bool is_promoted = slot_.system_identifier == system_.system_identifier &&
                           slot_.timeline != kAnyTimeline && slot_.timeline < system_.timeline;
  if (is_promoted) {
    FRESHET_TRY(check.timeline_end, replication_->timeline_end(slot_.timeline, system_.timeline));
  }
  return check;
}

// What was read and did not settle may be gone with the old primary: those tables begin anew. (A
// table that streams has settled, below a position that the new one has.)
void Session::follow_promotion() {
  log_warn("the source was promoted; the slot goes on there",
           {{"slot", slot_.slot_name}, {"timeline", system_.timeline}});
  slot_.timeline = system_.timeline;
  for (OpenDestination& opened : destinations_)
    opened.state.chunks.clear();
}

void Session::warn_of_slot(const std::optional<source::SlotRow>& row) const {
  if (!row || row->is_failover || !options_.config.source.is_failover) return;
  log_warn("the slot is not synchronised to standbys, though source.failover asks for it",
           {{"slot", row->name}});
}

// All tables are to be copied again, under a slot that is made anew. The process may die at any
// point: until the new slot is remembered, the next start knows the lost one, and finds it so, or
// gone, or a slot of its name that nobody has read from; and a destination that forgot asks for a
// copy whichever slot it then gets.
Status Session::replace_slot(const std::optional<source::SlotRow>& left,
                             const Error& loss,
                             const std::stop_token& stop) {
  FRESHET_TRY(check_replaceable(left, loss));
  log_warn("changes were lost with the slot: it is made anew, and all tables are copied again",
           {{"slot", slot_.slot_name}, {"reason", loss.message()}});
  for (OpenDestination& opened : destinations_)
    FRESHET_TRY(forget_phases(opened));
  // Also makes the phases durable.
  FRESHET_TRY(options_.state.store_slot(options_.lease, slot_));
  for (OpenDestination& opened : destinations_)
    FRESHET_TRY(opened.destination->forget_slot());
  FRESHET_TRY(source::drop_slot(*sql_, slot_.slot_name));
  // What happened to the tables before the copy is no news after it.
  stored_.watched.clear();
  watched_.clear();
  FRESHET_TRY(begin_watching());
  FRESHET_TRY(make_publication(stop));
  slot_ = new_slot_identity(slot_.slot_name);
  FRESHET_TRY(make_new_slot(stop));
  return adopt_everywhere();
}

// The slot was lost while it was being used: the next session looks what is left of it.
bool Session::may_replace_after(const Error& error) {
  if (options_.config.source.on_gap != OnGap::resync || !source::is_slot_loss(error)) return false;
  if (++options_.slot_losses <= kSlotLossesMax) return true;
  log_warn("the slot was lost again before all tables were streaming: that is not tried for ever",
           {{"slot", slot_.slot_name}, {"losses", options_.slot_losses}});
  return false;
}

// Not from under somebody who streams from it, and not where a copy would not bring everything.
Status Session::check_replaceable(const std::optional<source::SlotRow>& left,
                                  const Error& loss) const {
  for (const auto& [name, plan] : plans_) {
    if (!is_uncopied(plan)) continue;
    return Error{ErrorKind::gap,
                 "changes were lost with the slot, and a table that is not to be copied cannot be "
                 "made whole"}
        .with("slot", slot_.slot_name)
        .with("table", to_string(name))
        .with("reason", loss.message())
        .fix(
            "bring it in step by hand and run `freshet drop`, then start again; or take away its "
            "`copy: none`, so that source.on_gap: resync may copy it");
  }
  if (!left || !left->is_active) return ok_status();
  return Error{ErrorKind::slot_in_use, "changes were lost with the slot, and it is in use"}
      .with("slot", slot_.slot_name)
      .with("pid", std::to_string(left->active_pid))
      .with("reason", loss.message())
      .fix("stop the other process that streams from the slot, or SELECT pg_terminate_backend(" +
           std::to_string(left->active_pid) + "); then the slot is made anew");
}

// Where the state store keeps what the destination does not keep itself.
Status Session::forget_phases(const OpenDestination& opened) {
  for (const TableState& table : stored_.tables) {
    const bool is_left_out = table.phase == TablePhase::paused ||
                             options_.set_aside.contains({opened.name, table.table});
    if (table.destination != opened.name || is_left_out) continue;
    FRESHET_TRY(options_.state.store_table(options_.lease, {.destination = opened.name,
                                                            .table = table.table,
                                                            .phase = TablePhase::copying,
                                                            .reason = {}}));
  }
  return ok_status();
}

Status Session::create_slot(const std::stop_token& stop) {
  const std::string name = slot_name();
  FRESHET_TRY(const std::optional<source::SlotRow> row, source::find_slot(*sql_, name));
  if (row) {
    const bool is_half_made = stored_.slot && stored_.slot->slot_name == name;
    if (!is_half_made) {
      return Error{ErrorKind::setting,
                   "a slot of that name exists, and this pipeline did not make it"}
          .with("slot", name)
          .fix(
              "give source.slot another name; or, to go on from where it stands, set "
              "source.adopt_slot: true; or, if nobody uses it, SELECT pg_drop_replication_slot(" +
              quote_literal(name) + ");");
    }
    // We died between making it and remembering it: nothing was streamed from it.
    FRESHET_TRY(source::drop_slot(*sql_, name));
  }
  FRESHET_TRY(make_publication(stop));
  slot_ = new_slot_identity(name);
  // The intent comes first: a slot found later under this name is then known to be ours to drop.
  FRESHET_TRY(options_.state.store_slot(options_.lease, slot_));
  Status status = make_new_slot(stop);
  if (!status.ok() && new_publication_) {
    // Leave the source as it was.
    if (const Status dropped = source::drop_publication(*sql_, new_publication_->name);
        !dropped.ok()) {
      log_error(LogLevel::warn, "the publication just made could not be dropped", dropped.error());
    }
  }
  FRESHET_TRY(std::move(status));
  return adopt_everywhere();
}

// The process may die at any point: once the slot is remembered it is a slot like any other, and
// the next start has the destinations adopt it; until then nothing was done.
Status Session::take_over_slot() {
  const SourceConfig& source = options_.config.source;
  FRESHET_TRY(const std::optional<source::SlotRow> row, source::find_slot(*sql_, source.slot));
  const source::AdoptionRequest request{.slot = source.slot,
                                        .is_two_phase = source.is_two_phase,
                                        .start = source.start_lsn,
                                        .now = system_};
  FRESHET_TRY(const Lsn start, source::check_adoption(request, row));
  FRESHET_TRY(source::check_publications_are_older(*sql_, source.slot, source.publications));
  warn_of_slot(row);
  confirmed_flush_ = row->confirmed_flush;
  slot_ = new_slot_identity(source.slot);
  slot_.epoch = std::string{kAdoptedEpoch} + slot_.epoch;
  slot_.consistent_point = start;
  log_info("replication slot adopted",
           {{"slot", slot_.slot_name}, {"lsn", to_string(slot_.consistent_point)}});
  FRESHET_TRY(options_.state.store_slot(options_.lease, slot_));
  return adopt_everywhere();
}

Status Session::make_publication(const std::stop_token& stop) {
  if (!new_publication_) return ok_status();
  {
    const std::stop_callback interrupt(stop, [this] { sql_->interrupt(); });
    FRESHET_TRY(source::create_publication(*sql_, *new_publication_));
  }
  return options_.state.store_publication(options_.lease, new_publication_->name);
}

SlotIdentity Session::new_slot_identity(const std::string& name) const {
  return {.system_identifier = system_.system_identifier,
          .timeline = is_standby_ ? kAnyTimeline : system_.timeline,
          .slot_name = name,
          .consistent_point = kNoLsn,
          .epoch = random_uuid()};
}

// Under the identity in slot_, which is remembered once the slot stands.
Status Session::make_new_slot(const std::stop_token& stop) {
  set_activity("creating the replication slot");
  const std::stop_callback interrupt(stop, [this] { replication_->interrupt(); });
  bool has_told = false;
  const auto report = [&](std::span<const source::WaitedFor> waited_for) {
    set_activity(is_standby_ ? "waiting for the primary to log its running transactions"
                             : "waiting for " + source::describe(waited_for));
    if (is_standby_ && !std::exchange(has_told, true)) log_warn(kWaitsForPrimary);
  };
  FRESHET_TRY(const source::CreatedSlot created,
              replication_->create_slot({.name = slot_.slot_name,
                                         .is_two_phase = options_.config.source.is_two_phase,
                                         .is_failover = options_.config.source.is_failover,
                                         .exports_snapshot = !is_standby_,
                                         .observer = sql_.get(),
                                         .report = report}));
  slot_.consistent_point = created.consistent_point;
  confirmed_flush_ = created.consistent_point;
  log_info("replication slot created",
           {{"slot", slot_.slot_name}, {"lsn", to_string(slot_.consistent_point)}});
  const bool is_any_copied = std::any_of(plans_.begin(), plans_.end(), [this](const auto& entry) {
    return !is_uncopied(entry.second);
  });
  if (is_any_copied && !is_standby_) {
    FRESHET_TRY(slot_snapshot_,
                source::SnapshotCoordinator::import(
                    connect_options("copy"), system_.system_identifier, created.snapshot_name));
  }
  return options_.state.store_slot(options_.lease, slot_);
}

// The slot is remembered by now: a destination that is away learns of it at the next start.
Status Session::adopt_everywhere() {
  for (OpenDestination& opened : destinations_)
    FRESHET_TRY(adopt(opened, Position{slot_.consistent_point}));
  return ok_status();
}

Status Session::adopt(OpenDestination& opened, Position start) {
  FRESHET_TRY(opened.destination->adopt_slot(slot_, start));
  // Or the position of another slot would stand beside this one's identity.
  if (!opened.destination->traits().keeps_position) {
    FRESHET_TRY(options_.state.store_position(options_.lease,
                                              {.destination = opened.name, .position = start}));
  }
  opened.state.position = start;
  opened.state.chunks.clear();
  std::erase_if(opened.state.tables,
                [](const TableRecord& table) { return table.phase != TablePhase::paused; });
  return ok_status();
}

}  // namespace freshet
