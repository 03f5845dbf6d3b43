// Tells threads that wait on a server to give up.
#pragma once

#include <atomic>

namespace freshet::pg {

/// Once triggered it stays so. Thread-safe; trigger() may be called from a signal handler.
class Interrupter {
 public:
  Interrupter();
  ~Interrupter();
  Interrupter(const Interrupter&) = delete;
  Interrupter& operator=(const Interrupter&) = delete;

  void trigger() noexcept;

  bool is_triggered() const noexcept { return is_triggered_.load(std::memory_order_acquire); }

  /// Readable once triggered; -1 if the system had no descriptor left (then waits look every 100
  /// ms).
  int fd() const noexcept { return fd_; }

 private:
  std::atomic<bool> is_triggered_{false};
  int fd_;
};

}  // namespace freshet::pg
