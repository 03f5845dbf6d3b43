#include "pg/socket_wait.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace freshet::pg {
namespace {

using Clock = std::chrono::steady_clock;
/// How often to look at the flag where the interrupter has no descriptor.
constexpr std::chrono::milliseconds kLook{100};

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

int milliseconds_until(Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
}

}  // namespace

Woken wait_for(const SocketWait& wait, const Interrupter& interrupter) {
  const bool is_endless = wait.timeout.count() < 0;
  const auto deadline = Clock::now() + (is_endless ? std::chrono::milliseconds{0} : wait.timeout);
  // poll() ignores negative descriptors.
  std::array<pollfd, 3> fds{{{wait.socket, events_of(wait.ready), 0},
                             {interrupter.fd(), POLLIN, 0},
                             {wait.wake_fd, POLLIN, 0}}};
  for (;;) {
    if (interrupter.is_triggered()) return Woken::interrupted;
    int timeout = is_endless ? -1 : milliseconds_until(deadline);
    if (interrupter.fd() < 0 && (timeout < 0 || timeout > kLook.count())) timeout = kLook.count();
    const int count = poll(fds.data(), fds.size(), timeout);
    if (count < 0 && errno != EINTR) return Woken::failed;
    if (count > 0 && fds[1].revents != 0) return Woken::interrupted;
    if (count > 0 && fds[0].revents != 0) return Woken::ready;
    if (count > 0 && fds[2].revents != 0) return Woken::woken;
    if (!is_endless && Clock::now() >= deadline) return Woken::timed_out;
  }
}

}  // namespace freshet::pg
