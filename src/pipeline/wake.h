// Wakes a thread that waits in poll(): an eventfd.
#pragma once

namespace freshet {

/// Thread-safe. Several notify() before one clear() count as one.
class Wake {
 public:
  Wake();
  ~Wake();
  Wake(const Wake&) = delete;
  Wake& operator=(const Wake&) = delete;

  int fd() const noexcept { return fd_; }

  void notify() noexcept;
  void clear() noexcept;

 private:
  int fd_;
};

}  // namespace freshet
