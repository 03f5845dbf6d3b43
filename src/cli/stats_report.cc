#include "cli/stats_report.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include <nlohmann/json.hpp>

namespace freshet {
namespace {

using Json = nlohmann::ordered_json;

Json conflicts_json(const ConflictCounts& counts) {
  return {{"skipped", counts.skipped},
          {"source_won", counts.source_won},
          {"quarantined", counts.quarantined}};
}

Json table_json(const TableStats& table) {
  return {{"schema", table.name.schema},
          {"table", table.name.table},
          {"destination", table.destination},
          {"phase", to_string(table.phase)},
          {"rows_copied", table.rows_copied},
          {"bytes_copied", table.bytes_copied},
          {"changes_applied", table.changes_applied},
          {"conflicts", conflicts_json(table.conflicts)}};
}

Json destination_json(const DestinationStats& destination) {
  const LagStats& lag = destination.lag;
  return {{"name", destination.name},
          {"written", to_string(destination.written.end)},
          {"durable", to_string(destination.durable.end)},
          {"changes_applied", destination.changes_applied},
          {"transactions_applied", destination.transactions_applied},
          {"groups_written", destination.groups_written},
          {"conflicts", conflicts_json(destination.conflicts)},
          {"lag_ms",
           {{"now", lag.now_ms}, {"p50", lag.p50_ms}, {"p99", lag.p99_ms}, {"max", lag.max_ms}}}};
}

Json slot_json(const std::optional<SlotStats>& slot) {
  if (!slot) return nullptr;
  const auto& left = slot->time_left;
  return {{"retained_wal_bytes", slot->retained_wal_bytes},
          {"safe_wal_bytes", slot->safe_wal_bytes ? Json(*slot->safe_wal_bytes) : Json(nullptr)},
          {"seconds_left", left ? Json(left->count()) : Json(nullptr)}};
}

}  // namespace

Status write_stats_report(const PipelineStats& stats, const std::string& path) {
  Json json{{"pipeline", stats.pipeline},
            {"received", to_string(stats.received.end)},
            {"acknowledged", to_string(stats.acknowledged.end)},
            {"changes_received", stats.changes_received},
            {"bytes_received", stats.bytes_received},
            {"texts_embedded", stats.texts_embedded},
            {"reconnects", stats.reconnects},
            {"slot", slot_json(stats.slot)},
            {"tables", Json::array()},
            {"destinations", Json::array()}};
  for (const TableStats& table : stats.tables)
    json["tables"].push_back(table_json(table));
  for (const DestinationStats& destination : stats.destinations) {
    json["destinations"].push_back(destination_json(destination));
  }
  std::ofstream file(path, std::ios::trunc);
  file << json.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
  file.flush();
  if (file.good()) return {};
  return Error{ErrorKind::storage, "the report cannot be written"}
      .with("path", path)
      .with("reason", std::strerror(errno));
}

}  // namespace freshet
