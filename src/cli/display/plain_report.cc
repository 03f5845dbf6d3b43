#include "cli/display/plain_report.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/log.h"

namespace freshet {

std::string describe_phases(const PipelineStats& stats) {
  std::map<TablePhase, std::size_t> counts;
  for (const TableStats& table : stats.tables)
    ++counts[table.phase];
  std::string text;
  for (const auto& [phase, count] : counts) {
    text += fmt::format("{}{}={}", text.empty() ? "" : " ", to_string(phase), count);
  }
  return text;
}

void log_progress(const StatsHistory& history) {
  const PipelineStats& stats = history.newest();
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;
  for (const TableStats& table : stats.tables) {
    rows += table.rows_copied;
    bytes += table.bytes_copied;
  }
  std::uint64_t changes = 0;
  ConflictCounts conflicts;
  LagStats worst;
  for (const DestinationStats& destination : stats.destinations) {
    changes += destination.changes_applied;
    conflicts += destination.conflicts;
    worst.now_ms = std::max(worst.now_ms, destination.lag.now_ms);
    worst.p50_ms = std::max(worst.p50_ms, destination.lag.p50_ms);
    worst.p99_ms = std::max(worst.p99_ms, destination.lag.p99_ms);
    worst.max_ms = std::max(worst.max_ms, destination.lag.max_ms);
  }
  const auto rounded = [](double value) { return fmt::format("{:.1f}", value); };
  log_info("progress", {{"pipeline", stats.pipeline},
                        {"activity", stats.activity},
                        {"phases", describe_phases(stats)},
                        {"rows_copied", rows},
                        {"bytes_copied", bytes},
                        {"rows_per_s", rounded(history.copied_row_rate())},
                        {"changes", changes},
                        {"changes_per_s", rounded(history.change_rate())},
                        {"skipped", conflicts.skipped},
                        {"source_won", conflicts.source_won},
                        {"quarantined", conflicts.quarantined},
                        {"texts_per_s", rounded(history.embedding_rate())},
                        {"lag_ms", rounded(worst.now_ms)},
                        {"lag_p50_ms", rounded(worst.p50_ms)},
                        {"lag_p99_ms", rounded(worst.p99_ms)},
                        {"lag_max_ms", rounded(worst.max_ms)},
                        {"received", to_string(stats.received.end)},
                        {"acknowledged", to_string(stats.acknowledged.end)}});
}

}  // namespace freshet
