#include "cli/demo/engine.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <thread>
#include <vector>

#include <fmt/format.h>

namespace freshet {
namespace {

constexpr std::chrono::seconds kStopTimeout{30};

Error ended(int status) {
  const std::string how = WIFEXITED(status) ? fmt::format("exit code {}", WEXITSTATUS(status))
                                            : fmt::format("signal {}", WTERMSIG(status));
  return Error{ErrorKind::internal, "freshet ended during the demo"}
      .with("how", how)
      .fix("see its messages above");
}

std::uint64_t status_kib(pid_t pid, std::string_view field) {
  std::ifstream file(fmt::format("/proc/{}/status", pid));
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with(field)) return std::strtoull(line.c_str() + field.size() + 1, nullptr, 10);
  }
  return 0;
}

}  // namespace

Result<std::unique_ptr<Engine>> Engine::start(const Options& options) {
  std::vector<std::string> arguments{
      "freshet",     "run", options.config_file, "--report", options.report_file,
      "--log-level", "warn"};
  if (options.is_plain) {
    arguments.back() = "info";
    arguments.emplace_back("--plain");
  }
  std::vector<char*> argv;
  for (std::string& argument : arguments)
    argv.push_back(argument.data());
  argv.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0)
    return Error{ErrorKind::storage, "cannot start a process"}.with("reason", std::strerror(errno));
  if (pid == 0) {
    // Ctrl-C reaches the whole group of the terminal: the demo decides when this process stops.
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    ::signal(SIGINT, SIG_IGN);
    sigset_t none;
    ::sigemptyset(&none);
    ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
    ::execv("/proc/self/exe", argv.data());
    ::_exit(127);
  }
  return std::unique_ptr<Engine>(new Engine(pid));
}

Status Engine::check() {
  int status = 0;
  if (pid_ <= 0 || ::waitpid(pid_, &status, WNOHANG) != pid_) return ok_status();
  pid_ = -1;
  return ended(status);
}

std::uint64_t Engine::peak_kib() const {
  return pid_ > 0 ? status_kib(pid_, "VmHWM:") : 0;
}

Status Engine::stop() {
  if (pid_ <= 0) return ok_status();
  ::kill(pid_, SIGTERM);
  const auto deadline = std::chrono::steady_clock::now() + kStopTimeout;
  int status = 0;
  while (::waitpid(pid_, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > deadline) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, &status, 0);
      break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  pid_ = -1;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return ok_status();
  return ended(status);
}

Engine::~Engine() {
  static_cast<void>(stop().ok());
}

}  // namespace freshet
