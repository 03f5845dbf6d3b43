#include "pg/socket_wait.h"

#include <poll.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace freshet::pg {
namespace {

using Clock = std::chrono::steady_clock;
/// How often to look at the flag where the interrupter has no descriptor.
constexpr Clock::duration kLook = std::chrono::milliseconds{100};

short events_of(Ready ready) {
  switch (ready) {
    case Ready::read:
      return POLLIN;
    case Ready::write:
      return POLLOUT;
    case Ready::read_or_write:
      return POLLIN | POLLOUT;
  }
  return POLLIN;
}

timespec timespec_of(Clock::duration duration) {
  const auto left = std::max(duration, Clock::duration::zero());
  const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
  return {static_cast<time_t>(seconds.count()),
          static_cast<long>(std::chrono::nanoseconds{left - seconds}.count())};
}

}  // namespace

Woken wait_for(const SocketWait& wait, const Interrupter& interrupter) {
  const bool is_endless = wait.timeout.count() < 0;
  const auto deadline = Clock::now() + (is_endless ? std::chrono::microseconds{0} : wait.timeout);
  // poll() ignores negative descriptors.
  std::array<pollfd, 3> fds{{{wait.socket, events_of(wait.ready), 0},
                             {interrupter.fd(), POLLIN, 0},
                             {wait.wake_fd, POLLIN, 0}}};
  for (;;) {
    if (interrupter.is_triggered()) return Woken::interrupted;
    auto left = is_endless ? Clock::duration::max() : deadline - Clock::now();
    if (interrupter.fd() < 0) left = std::min(left, kLook);
    const timespec timeout = timespec_of(left);
    const bool is_bounded = !is_endless || interrupter.fd() < 0;
    const int count = ppoll(fds.data(), fds.size(), is_bounded ? &timeout : nullptr, nullptr);
    if (count < 0 && errno != EINTR) return Woken::failed;
    if (count > 0 && fds[1].revents != 0) return Woken::interrupted;
    if (count > 0 && fds[0].revents != 0) return Woken::ready;
    if (count > 0 && fds[2].revents != 0) return Woken::woken;
    if (!is_endless && Clock::now() >= deadline) return Woken::timed_out;
  }
}

}  // namespace freshet::pg
