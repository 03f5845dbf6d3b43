#include "pipeline/lag.h"

#include <algorithm>
#include <vector>

namespace freshet {

void LagMeter::add(SourceTime committed_at, Clock::time_point now) {
  const auto committed_unix =
      std::chrono::microseconds(to_integer(committed_at) + kPostgresEpochUnixMicros);
  const auto lag = std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()) -
                   committed_unix;
  // The source's clock may be ahead of ours: a lag below zero means nothing.
  const float lag_ms = std::max(0.0F, static_cast<float>(lag.count()) / 1000.0F);
  const std::lock_guard lock(mutex_);
  while (!samples_.empty() &&
         (samples_.front().at + kLagWindow < now || samples_.size() >= kSamplesMax)) {
    samples_.pop_front();
  }
  samples_.push_back({now, lag_ms});
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
