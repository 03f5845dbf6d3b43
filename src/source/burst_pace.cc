#include "source/burst_pace.h"

#include <algorithm>

namespace freshet::source {
namespace {

constexpr int kTrialBursts = 8;
constexpr int kUsualBursts = 60;
/// Half the nap costs the server more CPU, and pays only where the server had filled its buffer and
/// waited: then it brings nearly twice as much. Anything less may be another process's doing.
constexpr double kShorterGain = 1.6;
/// Twice the nap is welcome unless the server waits meanwhile: then it brings little more than
/// half.
constexpr double kLongerGain = 0.75;

}  // namespace

double BurstPace::Rate::per_second() const {
  const double seconds = std::chrono::duration<double>(time).count();
  return seconds > 0 ? static_cast<double>(bytes) / seconds : 0;
}

void BurstPace::drained(std::size_t bytes, Clock::time_point now) {
  window_bytes_ += bytes;
  const Clock::duration age = now - window_begin_;
  // While napping, every burst is a window. Else bytes are counted up over one nap's time.
  if (!is_backlog_ && age < kNapMax) return;
  const bool was_backlog = is_backlog_;
  is_backlog_ = window_bytes_ >= kBurstReceiveBytes && age < 4 * kNapMax;
  if (was_backlog && is_backlog_) learn(window_bytes_, age);
  window_bytes_ = 0;
  window_begin_ = now;
}

void BurstPace::begin(std::chrono::microseconds nap, int bursts) {
  nap_ = nap;
  rate_ = {};
  bursts_left_ = bursts;
}

void BurstPace::learn(std::size_t bytes, Clock::duration time) {
  rate_.bytes += bytes;
  rate_.time += time;
  if (--bursts_left_ > 0) return;
  if (nap_ == usual_) {
    usual_rate_ = rate_;
    tries_longer_ = !tries_longer_ && usual_ < kNapMax;
    const auto other = tries_longer_ ? usual_ * 2 : usual_ / 2;
    begin(std::clamp(other, kNapMin, kNapMax), kTrialBursts);
    return;
  }
  const double gain = nap_ > usual_ ? kLongerGain : kShorterGain;
  const bool pays = rate_.per_second() >= gain * usual_rate_.per_second();
  if (pays) usual_ = nap_;
  // What paid is soon tried further.
  begin(usual_, pays ? kBurstsFirst : kUsualBursts);
}

}  // namespace freshet::source
