#include "source/slot_forecast.h"

#include <algorithm>
#include <utility>

namespace freshet::source {
namespace {

// A danger is over only when there is so much more room than when it began: it shall not chatter.
constexpr double kRelief = 1.5;
// Longer forecasts than this say nothing.
constexpr double kSecondsMax = 10.0 * 24 * 3600;

double seconds_between(const SlotLook& from, const SlotLook& to) {
  return std::chrono::duration<double>(to.at - from.at).count();
}

}  // namespace

std::optional<SlotDanger> SlotForecast::look(const SlotLook& look) {
  // A server that went back (a crash, a promotion) tells nothing of the rate.
  if (!looks_.empty() && look.written < looks_.back().written) looks_.clear();
  looks_.push_back(look);
  while (looks_.size() > 2 && looks_[1].at <= look.at - kRateWindow)
    looks_.pop_front();
  worst_rate_ = danger_ == SlotDanger::none ? rate() : std::max(worst_rate_, rate());
  const SlotDanger now = judge();
  if (now == SlotDanger::none) worst_rate_ = 0;
  if (std::exchange(danger_, now) == now) return {};
  return now;
}

void SlotForecast::forget() {
  looks_.clear();
  danger_ = SlotDanger::none;
  worst_rate_ = 0;
}

double SlotForecast::rate() const {
  if (looks_.size() < 2) return 0;
  const double seconds = seconds_between(looks_.front(), looks_.back());
  if (seconds <= 0) return 0;
  const std::uint64_t bytes =
      to_integer(looks_.back().written) - to_integer(looks_.front().written);
  return static_cast<double>(bytes) / seconds;
}

std::optional<std::chrono::seconds> SlotForecast::time_left() const {
  return time_left_at(rate());
}

std::optional<std::chrono::seconds> SlotForecast::time_left_at(double bytes_per_second) const {
  if (looks_.empty() || !looks_.back().safe_wal_bytes) return {};
  const std::int64_t safe = *looks_.back().safe_wal_bytes;
  if (safe <= 0) return std::chrono::seconds{0};
  if (bytes_per_second <= 0) return {};
  const double seconds = static_cast<double>(safe) / bytes_per_second;
  if (seconds > kSecondsMax) return {};
  return std::chrono::seconds{static_cast<std::int64_t>(seconds)};
}

SlotDanger SlotForecast::judge() const {
  if (is_under(SlotDanger::imminent, kImminent)) return SlotDanger::imminent;
  return is_under(SlotDanger::near, kNear) ? SlotDanger::near : SlotDanger::none;
}

// A busy server with a small limit would always be in danger, were it not asked whether the slot
// falls behind: by then it has used half of what it may. Once in danger the worst rate counts, as
// writers that pause may come back.
bool SlotForecast::is_under(SlotDanger danger, std::chrono::seconds limit) const {
  const SlotLook& last = looks_.back();
  if (!last.safe_wal_bytes) return false;
  const double slack = danger_ >= danger ? kRelief : 1.0;
  const auto safe = static_cast<double>(*last.safe_wal_bytes);
  if (safe > static_cast<double>(last.retained_wal_bytes) * slack) return false;
  const auto left = time_left_at(worst_rate_);
  return left && *left < limit * slack;
}

}  // namespace freshet::source
