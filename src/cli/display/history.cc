#include "cli/display/history.h"

#include <algorithm>
#include <utility>

namespace freshet {
namespace {

double seconds_between(StatsHistory::Time from, StatsHistory::Time to) {
  return std::chrono::duration<double>(to - from).count();
}

std::uint64_t sum_of_changes(const PipelineStats& stats) {
  std::uint64_t sum = 0;
  for (const DestinationStats& destination : stats.destinations)
    sum += destination.changes_applied;
  return sum;
}

}  // namespace

void StatsHistory::add(Time now, PipelineStats stats) {
  if (samples_.empty()) started_ = now;
  samples_.push_back({now, std::move(stats)});
  // The sample just outside the window stays: it is what the window is measured from.
  while (samples_.size() > 2 && now - samples_[1].at >= kRateWindow)
    samples_.pop_front();
}

double StatsHistory::elapsed_seconds() const {
  return samples_.empty() ? 0 : seconds_between(started_, samples_.back().at);
}

template <typename Read>
double StatsHistory::rate(Read read) const {
  if (samples_.size() < 2) return 0;
  const double seconds = seconds_between(samples_.front().at, samples_.back().at);
  const auto before = static_cast<double>(read(samples_.front().stats));
  const auto after = static_cast<double>(read(samples_.back().stats));
  // Counters start anew when a table is copied again.
  return seconds <= 0 ? 0 : std::max(0.0, (after - before) / seconds);
}

double StatsHistory::change_rate() const {
  return rate(sum_of_changes);
}

double StatsHistory::received_byte_rate() const {
  return rate([](const PipelineStats& stats) { return stats.bytes_received; });
}

double StatsHistory::embedding_rate() const {
  return rate([](const PipelineStats& stats) { return stats.texts_embedded; });
}

double StatsHistory::copied_row_rate() const {
  return rate([](const PipelineStats& stats) {
    std::uint64_t sum = 0;
    for (const TableStats& table : stats.tables)
      sum += table.rows_copied;
    return sum;
  });
}

double StatsHistory::copied_row_rate(const TableStats& table) const {
  return rate([&table](const PipelineStats& stats) -> std::uint64_t {
    for (const TableStats& other : stats.tables) {
      if (other.name == table.name && other.destination == table.destination) {
        return other.rows_copied;
      }
    }
    return 0;
  });
}

}  // namespace freshet
