#include "cli/signals.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <string_view>

#include <pthread.h>

#include "base/log.h"

namespace freshet {
namespace {

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM}) {
    // Whoever started us with a signal ignored (nohup, a parent that decides itself) means it; a
    // blocked one would reach us all the same.
    struct sigaction inherited = {};
    sigaction(number, nullptr, &inherited);
    if (inherited.sa_handler != SIG_IGN) sigaddset(&set, number);
  }
  return set;
}

// A plain handler instead of SIG_IGN, which children (servers of the demo) would inherit.
void ignore_signal(int) {}

[[noreturn]] void end_at_once() {
  // The live display hides the cursor; no destructor will bring it back.
  constexpr std::string_view kShowCursor = "\x1b[?25h\n";
  if (isatty(STDERR_FILENO) == 1) {
    [[maybe_unused]] const ssize_t written =
        write(STDERR_FILENO, kShowCursor.data(), kShowCursor.size());
  }
  _exit(1);
}

}  // namespace

SignalWatch::SignalWatch() : signal_fd_(-1), wake_fd_(eventfd(0, EFD_CLOEXEC)) {
  struct sigaction action = {};
  action.sa_handler = ignore_signal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGPIPE, &action, nullptr);
  const sigset_t set = stop_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal_fd_ = signalfd(-1, &set, SFD_CLOEXEC);
  thread_ = std::jthread([this](const std::stop_token& ending) { watch(ending); });
}

SignalWatch::~SignalWatch() {
  thread_.request_stop();
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof one);
  thread_.join();
  close(signal_fd_);
  close(wake_fd_);
  const sigset_t set = stop_signals();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

void SignalWatch::watch(const std::stop_token& ending) {
  pthread_setname_np(pthread_self(), "signals");
  while (!ending.stop_requested()) {
    std::array<pollfd, 2> descriptors{{{signal_fd_, POLLIN, 0}, {wake_fd_, POLLIN, 0}}};
    if (poll(descriptors.data(), descriptors.size(), -1) <= 0) continue;
    signalfd_siginfo info{};
    if ((descriptors[0].revents & POLLIN) == 0) continue;
    if (read(signal_fd_, &info, sizeof info) != static_cast<ssize_t>(sizeof info)) continue;
    // Nothing may be flushed here: whoever asks twice wants out of whatever hangs.
    if (!source_.request_stop()) end_at_once();
    log_info("stopping: flushing what was read; once more to end at once",
             {{"signal", info.ssi_signo == SIGINT ? "SIGINT" : "SIGTERM"}});
  }
}

}  // namespace freshet
