#include "pipeline/lag.h"

#include <algorithm>
#include <vector>

namespace freshet {

void LagMeter::add(std::span<const SourceTime> committed, Clock::time_point now) {
  const auto now_micros =
      std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count() -
      kPostgresEpochUnixMicros;
  committed = committed.last(std::min(committed.size(), kSamplesMax));
  const std::lock_guard lock(mutex_);
  while (!samples_.empty() && (samples_.front().at + kLagWindow < now ||
                               samples_.size() + committed.size() > kSamplesMax)) {
    samples_.pop_front();
  }
  for (const SourceTime committed_at : committed) {
    // The source's clock may be ahead of ours: a lag below zero means nothing.
    const auto lag = static_cast<float>(now_micros - to_integer(committed_at));
    samples_.push_back({now, std::max(0.0F, lag / 1000.0F)});
  }
}

LagStats LagMeter::stats(Clock::time_point now) const {
  std::vector<float> lags;
  LagStats stats;
  {
    const std::lock_guard lock(mutex_);
    for (const Sample& sample : samples_) {
      if (sample.at + kLagWindow >= now) lags.push_back(sample.lag_ms);
    }
    if (!samples_.empty() && samples_.back().at + std::chrono::seconds(1) >= now) {
      stats.now_ms = static_cast<double>(samples_.back().lag_ms);
    }
  }
  if (lags.empty()) return stats;
  std::sort(lags.begin(), lags.end());
  const auto at = [&](double share) {
    const auto last = static_cast<double>(lags.size() - 1);
    return static_cast<double>(lags[static_cast<std::size_t>(share * last)]);
  };
  stats.p50_ms = at(0.5);
  stats.p99_ms = at(0.99);
  stats.max_ms = static_cast<double>(lags.back());
  return stats;
}

}  // namespace freshet
