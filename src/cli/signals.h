// SIGINT and SIGTERM as a stop request.
#pragma once

#include <stop_token>
#include <thread>

namespace freshet {

/// From its construction on, the first SIGINT or SIGTERM requests a stop, a second one ends the
/// process at once (exit 1), and SIGPIPE is ignored. Made before any other thread starts, which
/// then inherits the blocked signals.
class SignalWatch {
 public:
  SignalWatch();
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  std::stop_token token() const { return source_.get_token(); }

 private:
  void watch(const std::stop_token& ending);

  std::stop_source source_;
  int signal_fd_;
  int wake_fd_;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace freshet
