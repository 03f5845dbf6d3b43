#include "ops/status/status.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/try.h"
#include "ops/connect.h"
#include "ops/stored_state.h"
#include "ops/table/table_list.h"

namespace freshet::ops {
namespace {

using Json = nlohmann::ordered_json;

std::string_view to_string(source::WalStatus status) {
  switch (status) {
    case source::WalStatus::none:
      return "none";
    case source::WalStatus::reserved:
      return "reserved";
    case source::WalStatus::extended:
      return "extended";
    case source::WalStatus::unreserved:
      return "unreserved";
    case source::WalStatus::lost:
      return "lost";
  }
  return "none";
}

Status ask_source(const PipelineConfig& config, PipelineStatus& status) {
  FRESHET_TRY(const auto connection, connect(config.source.url, "freshet status"));
  FRESHET_TRY(
      const pg::Rows rows,
      connection->query("SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() "
                        "ELSE pg_current_wal_lsn() END"));
  status.source_position = rows.lsn(0, 0);
  FRESHET_TRY(status.slot, source::find_slot(*connection, slot_name_of(config, status.stored)));
  return {};
}

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json slot_json(const PipelineStatus& status) {
  if (!status.slot) return nullptr;
  const source::SlotRow& slot = *status.slot;
  Json json{{"name", slot.name},
            {"active", slot.is_active},
            {"active_pid", slot.active_pid},
            {"wal_status", to_string(slot.wal_status)},
            {"restart_lsn", freshet::to_string(slot.restart)},
            {"confirmed_flush_lsn", freshet::to_string(slot.confirmed_flush)},
            {"lag_bytes", or_null(lag_bytes(status, slot.confirmed_flush))},
            {"retained_wal_bytes", slot.retained_wal_bytes},
            {"safe_wal_bytes", or_null(slot.safe_wal_bytes)},
            {"invalidation_reason", slot.invalidation_reason}};
  return json;
}

Json wish_json(const StoredPipeline& stored, const TableState& table) {
  const std::optional<TableWish> wish = waiting_wish(stored, table);
  return wish ? Json(to_string(*wish)) : Json(nullptr);
}

Json tables_json(const StoredPipeline& stored) {
  Json tables = Json::array();
  for (const TableState& table : stored.tables) {
    tables.push_back({{"schema", table.table.schema},
                      {"table", table.table.table},
                      {"destination", table.destination},
                      {"phase", to_string(table.phase)},
                      {"reason", table.reason},
                      {"wish", wish_json(stored, table)}});
  }
  return tables;
}

std::string describe_bytes(const std::optional<std::uint64_t>& bytes) {
  return bytes ? fmt::format("{} bytes behind", *bytes) : "lag unknown";
}

// What its loss depends on. How soon that may be only a process that looks twice can tell.
std::string describe_room(const source::SlotRow& slot) {
  std::string kept = fmt::format("{} bytes of WAL kept for it", slot.retained_wal_bytes);
  if (slot.wal_status == source::WalStatus::lost) return kept;
  if (!slot.safe_wal_bytes) return kept + ", without a limit (max_slot_wal_keep_size)";
  if (*slot.safe_wal_bytes <= 0) return kept + ", and it may be lost any moment";
  return kept + fmt::format(", lost after {} more unless acknowledged", *slot.safe_wal_bytes);
}

}  // namespace

Result<PipelineStatus> load_status(const PipelineConfig& config) {
  PipelineStatus status;
  status.pipeline = config.pipeline;
  FRESHET_TRY(status.stored, load_stored(config));
  if (Status asked = ask_source(config, status); !asked.ok()) {
    status.source_error = asked.error().describe();
  }
  return status;
}

std::optional<std::uint64_t> lag_bytes(const PipelineStatus& status, Lsn position) {
  if (!status.source_position) return std::nullopt;
  const std::uint64_t now = to_integer(*status.source_position);
  const std::uint64_t then = to_integer(position);
  // A keepalive can tell of WAL that is written but not yet flushed.
  return now > then ? now - then : 0;
}

std::string to_json(const PipelineStatus& status) {
  const StoredPipeline& stored = status.stored;
  Json destinations = Json::array();
  for (const DestinationProgress& progress : stored.positions) {
    destinations.push_back({{"name", progress.destination},
                            {"position", freshet::to_string(progress.position.end)},
                            {"lag_bytes", or_null(lag_bytes(status, progress.position.end))}});
  }
  Json holder = nullptr;
  if (stored.holder) holder = {{"host", stored.holder->host}, {"pid", stored.holder->pid}};
  Json identity = nullptr;
  if (stored.slot) {
    identity = {{"system_identifier", stored.slot->system_identifier},
                {"timeline", stored.slot->timeline},
                {"slot", stored.slot->slot_name},
                {"consistent_point", freshet::to_string(stored.slot->consistent_point)},
                {"epoch", stored.slot->epoch}};
  }
  const bool is_known = stored.slot || !stored.tables.empty();
  const Json source{
      {"reachable", status.source_error.empty()},
      {"error", status.source_error},
      {"position",
       status.source_position ? Json(freshet::to_string(*status.source_position)) : Json(nullptr)}};
  const Json json{{"version", 1},
                  {"pipeline", status.pipeline},
                  {"known", is_known},
                  {"running", stored.holder.has_value()},
                  {"holder", std::move(holder)},
                  {"source", source},
                  {"slot", slot_json(status)},
                  {"slot_identity", std::move(identity)},
                  {"publication", or_null(stored.publication)},
                  {"destinations", std::move(destinations)},
                  {"tables", tables_json(stored)}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::vector<std::string> to_lines(const PipelineStatus& status) {
  const StoredPipeline& stored = status.stored;
  std::vector<std::string> lines;
  lines.push_back(fmt::format("pipeline     {}", status.pipeline));
  lines.push_back(stored.holder ? fmt::format("running      on {} as process {}",
                                              stored.holder->host, stored.holder->pid)
                                : std::string{"running      no"});
  if (!status.source_error.empty()) {
    lines.push_back(fmt::format("source       not reachable: {}", status.source_error));
  } else if (status.source_position) {
    lines.push_back(fmt::format("source       at {}", freshet::to_string(*status.source_position)));
  }
  if (status.slot) {
    const source::SlotRow& slot = *status.slot;
    lines.push_back(fmt::format("slot         {}: {}, WAL {}, confirmed {}, {}", slot.name,
                                slot.is_active ? "active" : "inactive", to_string(slot.wal_status),
                                freshet::to_string(slot.confirmed_flush),
                                describe_bytes(lag_bytes(status, slot.confirmed_flush))));
    lines.push_back("             " + describe_room(slot));
    if (!slot.invalidation_reason.empty()) {
      lines.push_back(fmt::format("             invalidated: {}", slot.invalidation_reason));
    }
  } else if (status.source_error.empty()) {
    lines.push_back("slot         none at the source");
  }
  for (const DestinationProgress& progress : stored.positions) {
    lines.push_back(fmt::format("destination  {}: at {}, {}", progress.destination,
                                freshet::to_string(progress.position.end),
                                describe_bytes(lag_bytes(status, progress.position.end))));
  }
  for (const TableState& table : stored.tables) {
    lines.push_back("table        " + describe_table(stored, table));
  }
  if (!stored.slot && stored.tables.empty()) {
    lines.push_back("             nothing is kept of it: it never ran, or its state is elsewhere");
  }
  return lines;
}

}  // namespace freshet::ops
