// The last seconds of a pipeline's statistics, from which rates come. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>

#include "pipeline/stats.h"

namespace freshet {

/// Over how long rates are taken.
constexpr std::chrono::seconds kRateWindow{5};

class StatsHistory {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// Adds a snapshot taken at `now`; drops those that no rate needs any more.
  void add(Time now, PipelineStats stats);

  bool empty() const noexcept { return samples_.empty(); }

  const PipelineStats& newest() const { return samples_.back().stats; }

  /// Since the first snapshot of all.
  double elapsed_seconds() const;

  double change_rate() const;
  double received_byte_rate() const;
  double embedding_rate() const;
  /// Of all tables together, and of one of the newest snapshot's tables.
  double copied_row_rate() const;
  double copied_row_rate(const TableStats& table) const;

 private:
  struct Sample {
    Time at;
    PipelineStats stats;
  };

  template <typename Read>
  double rate(Read read) const;

  std::deque<Sample> samples_;
  Time started_;
};

}  // namespace freshet
