// The first error of a session's threads, and the wish to stop that comes with it.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>

#include "base/error_policy.h"
#include "freshet/result.h"

namespace freshet {

/// Thread-safe. The first failure stands, but for `cancelled`: what was broken off by another
/// failure may tell of it first. Whoever waits for the session is woken.
class Failure {
 public:
  void report(Error error) {
    const std::lock_guard lock(mutex_);
    if (!error_ || error_->kind() == ErrorKind::cancelled) error_ = std::move(error);
    changed_.notify_all();
  }

  bool has_failed() const {
    const std::lock_guard lock(mutex_);
    return error_.has_value();
  }

  Status status() const {
    const std::lock_guard lock(mutex_);
    if (error_) return *error_;
    return ok_status();
  }

  /// Waits until a failure, notify() or the timeout.
  template <typename Duration>
  void wait_for(Duration timeout) {
    std::unique_lock lock(mutex_);
    if (!error_) changed_.wait_for(lock, timeout);
  }

  void notify() { changed_.notify_all(); }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Error> error_;  // guarded by mutex_
};

}  // namespace freshet
