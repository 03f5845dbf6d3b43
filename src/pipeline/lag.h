// How long changes take from the source's commit to the destination's.
#pragma once

#include <chrono>
#include <deque>
#include <mutex>
#include <span>

#include "freshet/lsn.h"
#include "pipeline/stats.h"

namespace freshet {

/// Keeps the samples of the last kLagWindow. Thread-safe.
class LagMeter {
 public:
  using Clock = std::chrono::system_clock;
  static constexpr std::chrono::seconds kLagWindow{10};
  static constexpr std::size_t kSamplesMax = 20'000;

  /// Transactions that the source committed then became visible at `now`.
  void add(std::span<const SourceTime> committed, Clock::time_point now);
  /// `now_ms` is 0 when nothing came within the last second.
  LagStats stats(Clock::time_point now) const;

 private:
  struct Sample {
    Clock::time_point at;
    float lag_ms;
  };

  mutable std::mutex mutex_;
  std::deque<Sample> samples_;  // guarded by mutex_
};

}  // namespace freshet
