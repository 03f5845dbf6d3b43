#include "ops/drop/drop.h"

#include <unistd.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "base/try.h"
#include "freshet/state_store.h"
#include "ops/connect.h"
#include "ops/drop/sql.h"
#include "ops/stored_state.h"
#include "source/publication.h"
#include "source/slot.h"
#include "state/holder.h"
#include "state/open.h"

namespace freshet::ops {
namespace {

constexpr std::chrono::seconds kActiveSlotWaitMax{30};
constexpr std::chrono::milliseconds kActiveSlotPoll{500};

bool keeps_records(const DestinationConfig& destination) {
  return destination.url.starts_with("postgres");
}

Result<bool> has_records(pg::Connection& connection, const std::string& pipeline) {
  FRESHET_TRY(const pg::Rows set_up,
              connection.query("SELECT to_regclass('freshet.progress') IS NOT NULL AND "
                               "to_regclass('freshet.table_objects') IS NOT NULL"));
  if (!set_up.boolean(0, 0)) return false;
  const std::optional<std::string_view> parameter{pipeline};
  FRESHET_TRY(
      const pg::Rows rows,
      connection.query("SELECT EXISTS (SELECT FROM freshet.progress WHERE pipeline = $1) OR "
                       "EXISTS (SELECT FROM freshet.tables WHERE pipeline = $1)",
                       {&parameter, 1}));
  return rows.boolean(0, 0);
}

// A walsender lives on for a moment after its client is gone.
Status wait_until_inactive(pg::Connection& source,
                           const std::string& slot,
                           const DropReport& report) {
  const auto deadline = std::chrono::steady_clock::now() + kActiveSlotWaitMax;
  bool has_said = false;
  while (true) {
    FRESHET_TRY(const auto row, source::find_slot(source, slot));
    if (!row || !row->is_active) return {};
    if (std::chrono::steady_clock::now() >= deadline) {
      return Error{ErrorKind::slot_in_use, "the slot is still in use"}
          .with("slot", slot)
          .with("pid", std::to_string(row->active_pid))
          .fix(fmt::format("stop who streams from it, or SELECT pg_terminate_backend({})",
                           row->active_pid));
    }
    if (!has_said) {
      report(fmt::format("waiting for the slot {}: server process {} streams from it", slot,
                         row->active_pid));
    }
    has_said = true;
    std::this_thread::sleep_for(kActiveSlotPoll);
  }
}

Status drop_at_source(const PipelineConfig& config,
                      const StoredPipeline& stored,
                      const DropReport& report) {
  FRESHET_TRY(const auto source, connect(config.source.url, "freshet drop"));
  const std::string slot = slot_name_of(config, stored);
  FRESHET_TRY(const auto row, source::find_slot(*source, slot));
  if (row && is_slot_adopted(config, stored)) {
    report(words_of_left_slot(slot));
  } else if (row) {
    if (!row->is_logical || row->plugin != "pgoutput") {
      return Error{ErrorKind::setting, "the slot is not one of Freshet's"}
          .with("slot", slot)
          .with("plugin", row->plugin)
          .fix("mend source.slot in the configuration");
    }
    FRESHET_TRY(wait_until_inactive(*source, slot, report));
    FRESHET_TRY(source::drop_slot(*source, slot));
    report(fmt::format("dropped the slot {}", slot));
  }
  if (!stored.publication) return {};
  FRESHET_TRY(const bool is_there, source::has_publication(*source, *stored.publication));
  if (!is_there) return {};
  FRESHET_TRY(source::drop_publication(*source, *stored.publication));
  report(fmt::format("dropped the publication {}", *stored.publication));
  return {};
}

Status forget_at(const DestinationConfig& destination,
                 const std::string& pipeline,
                 const DropReport& report) {
  FRESHET_TRY(const auto connection, connect(destination.url, "freshet drop"));
  FRESHET_TRY(const bool is_known, has_records(*connection, pipeline));
  if (!is_known) return {};
  const std::optional<std::string_view> parameter{pipeline};
  FRESHET_TRY(const pg::Rows rows, connection->query(sql::kSqlForgetPipeline, {&parameter, 1}));
  FRESHET_TRY(const pg::Rows rights,
              connection->query(
                  "SELECT has_function_privilege('pg_replication_origin_drop(text)', 'EXECUTE')"));
  if (rights.boolean(0, 0)) {
    FRESHET_TRY(const pg::Rows origins, connection->query(sql::kSqlDropOrigins, {&parameter, 1}));
    static_cast<void>(origins);
  }
  if (rows.integer(0, 0) > 0) {
    report(fmt::format("removed the position kept at destination {}; its tables stay",
                       destination.name));
  }
  return {};
}

Holder self() {
  return {.host = this_host_name(), .pid = getpid()};
}

}  // namespace

std::string words_of_left_slot(const std::string& slot) {
  return fmt::format(
      "the slot {0} stays, as Freshet did not make it; it keeps WAL until SELECT "
      "pg_drop_replication_slot('{0}')",
      slot);
}

Result<DropPlan> plan_drop(const PipelineConfig& config) {
  DropPlan plan;
  FRESHET_TRY(const StoredPipeline stored, load_stored(config));
  plan.has_state = stored.slot || stored.publication || !stored.positions.empty() ||
                   !stored.tables.empty() || !stored.schemas.empty() || !stored.wishes.empty();
  FRESHET_TRY(const auto source, connect(config.source.url, "freshet drop"));
  FRESHET_TRY(const auto slot, source::find_slot(*source, slot_name_of(config, stored)));
  if (slot) {
    plan.slot = slot->name;
    plan.leaves_slot = is_slot_adopted(config, stored);
    plan.active_pid = slot->active_pid;
  }
  if (stored.publication) {
    FRESHET_TRY(const bool is_there, source::has_publication(*source, *stored.publication));
    if (is_there) plan.publication = *stored.publication;
  }
  for (const DestinationConfig& destination : config.destinations) {
    if (!keeps_records(destination)) continue;
    FRESHET_TRY(const auto connection, connect(destination.url, "freshet drop"));
    FRESHET_TRY(const bool is_known, has_records(*connection, config.pipeline));
    if (is_known) plan.destinations.push_back(destination.name);
  }
  return plan;
}

Status drop_pipeline(const PipelineConfig& config, const DropReport& report) {
  FRESHET_TRY(const auto store, open_state_store(config.state, config.pipeline));
  FRESHET_TRY(const Lease lease, store->acquire(config.pipeline, self()));
  auto dropped = [&]() -> Status {
    FRESHET_TRY(const StoredPipeline stored, store->load(config.pipeline));
    FRESHET_TRY(drop_at_source(config, stored, report));
    for (const DestinationConfig& destination : config.destinations) {
      if (keeps_records(destination)) {
        FRESHET_TRY(forget_at(destination, config.pipeline, report));
      }
    }
    return {};
  }();
  if (!dropped.ok()) {
    // What remains is dropped by the next try; the first error is the one to tell.
    [[maybe_unused]] const Status released = store->release(lease);
    return dropped;
  }
  // Last: while the state is there, a try that was cut off can be repeated.
  FRESHET_TRY(store->forget(lease));
  report("forgot the state");
  return {};
}

}  // namespace freshet::ops
