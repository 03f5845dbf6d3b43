// How long to leave a backlog in the socket before reading it.
//
// A walsender calls send() once per message. While the reader's window is open each call is a
// packet and wakes the reader; while it is closed the same call only appends to the server's send
// buffer, at less than half the cost. So, with a backlog, the reader naps until the server has
// filled that buffer, takes all at once, and naps again. Measurements: docs/performance.md.
#pragma once

#include <chrono>
#include <cstddef>

namespace freshet::source {

/// A receive buffer of this size closes the window early; what fits into it goes packet by packet.
constexpr int kBurstReceiveBytes = 64 << 10;

/// Pure. One thread at a time.
class BurstPace {
 public:
  using Clock = std::chrono::steady_clock;

  static constexpr std::chrono::microseconds kNapMax{20'000};
  static constexpr std::chrono::microseconds kNapMin{625};

  /// `bytes` were read at `now`, and nothing is left in the socket.
  void drained(std::size_t bytes, Clock::time_point now);

  /// How long to let bytes gather once the socket is readable; 0 without a backlog: a lone commit
  /// is read at once.
  std::chrono::microseconds nap() const {
    return is_backlog_ ? nap_ : std::chrono::microseconds{0};
  }

 private:
  struct Rate {
    std::size_t bytes = 0;
    Clock::duration time{};

    double per_second() const;
  };

  void learn(std::size_t bytes, Clock::duration time);
  void begin(std::chrono::microseconds nap, int bursts);

  bool is_backlog_ = false;
  std::size_t window_bytes_ = 0;
  Clock::time_point window_begin_{};

  // Where the server's send buffer is small (a Unix socket, tcp_wmem), a long nap is time lost. Now
  // and then half or double the nap is tried for a few bursts, and kept if it pays.
  std::chrono::microseconds nap_ = kNapMax;
  std::chrono::microseconds usual_ = kNapMax;
  Rate usual_rate_;
  Rate rate_;
  int bursts_left_ = kBurstsFirst;
  bool tries_longer_ = false;

  static constexpr int kBurstsFirst = 8;
};

}  // namespace freshet::source
