// What waits for one lane: committed transactions and idle positions, bounded by bytes.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <future>
#include <mutex>
#include <span>
#include <vector>

#include "core/transaction.h"
#include "freshet/lsn.h"
#include "freshet/result.h"

namespace freshet {

/// A committed transaction; or, where that is null, a position that the idle server reached.
struct LaneItem {
  TransactionPtr transaction;
  Position idle;
};

/// Something for the lane's own thread to do between groups, and who waits for it.
struct LaneCall {
  std::function<Status()> work;
  bool ends_lane = false;  ///< If it fails: what it leaves behind cannot be gone on with.
  std::promise<Status> done;
};

/// Thread-safe. Pushing never blocks: the reader asks is_full() and stops reading the socket.
class LaneQueue {
 public:
  explicit LaneQueue(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  void push(std::span<const LaneItem> items);
  /// Runs `work` on the lane's thread and waits for it; `cancelled` once the queue is closed.
  Status call(std::function<Status()> work, bool ends_lane = false);

  /// Asked for each message received: takes no lock.
  bool is_full() const { return bytes_.load(std::memory_order_relaxed) >= bytes_max_; }

  bool is_empty() const;

  struct Taken {
    std::vector<LaneItem> items;
    std::vector<LaneCall> calls;
    bool is_closed = false;
  };

  /// Takes items up to `bytes_max` (one at least) and all calls; waits until there are some, the
  /// queue is closed, or the time is over.
  void take(Taken& taken, std::size_t bytes_max, std::chrono::milliseconds wait_max);
  /// Refuses calls from now on, drops what waits and wakes the lane.
  void close();

 private:
  const std::size_t bytes_max_;
  mutable std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  std::vector<LaneItem> items_;
  std::vector<LaneCall> calls_;
  std::atomic<std::size_t> bytes_{0};  // written under the mutex
  bool is_closed_ = false;
};

}  // namespace freshet
