// Exponential backoff with full jitter (Brooker, "Exponential Backoff And Jitter", AWS 2015). Pure:
// the caller brings the random number.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace freshet {

class Backoff {
 public:
  Backoff(std::chrono::milliseconds first, std::chrono::milliseconds most)
      : first_(first), most_(most) {}

  /// The next wait, between half and the whole of the current step; `random` is any 64-bit number.
  std::chrono::milliseconds next(std::uint64_t random) {
    const auto step = std::min(most_, first_ * (std::int64_t{1} << std::min(attempt_, 20U)));
    ++attempt_;
    const auto half = static_cast<std::uint64_t>(std::max<std::int64_t>(step.count() / 2, 1));
    return std::chrono::milliseconds(static_cast<std::int64_t>(half + random % half));
  }

  void reset() { attempt_ = 0; }

  unsigned attempt() const noexcept { return attempt_; }

 private:
  std::chrono::milliseconds first_;
  std::chrono::milliseconds most_;
  unsigned attempt_ = 0;
};

}  // namespace freshet
