#include "destinations/jsonl/output.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <filesystem>
#include <system_error>

#include "base/try.h"

namespace freshet {
namespace {

// Keeps a write to a closed pipe from killing the process, whatever the program does with SIGPIPE.
class SigpipeGuard {
 public:
  SigpipeGuard() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }

  SigpipeGuard(const SigpipeGuard&) = delete;
  SigpipeGuard& operator=(const SigpipeGuard&) = delete;

  ~SigpipeGuard() {
    const timespec at_once{};
    // Takes away the signal that our own write raised.
    while (!was_pending_ && sigtimedwait(&pipe_, nullptr, &at_once) < 0 && errno == EINTR) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  sigset_t pipe_{};
  sigset_t before_{};
  bool was_pending_ = false;
};

Status wait_until_writable(int descriptor) {
  pollfd wanted{.fd = descriptor, .events = POLLOUT, .revents = 0};
  poll(&wanted, 1, 1000);
  return ok_status();
}

// A new file's name is durable only once its directory is.
void sync_directory_of(const std::string& path) {
  std::string directory = std::filesystem::path(path).parent_path().string();
  if (directory.empty()) directory = ".";
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  fsync(descriptor);
  close(descriptor);
}

}  // namespace

Error JsonlOutput::error(std::string_view message, int error_number) const {
  Error failed = Error{ErrorKind::storage, std::string{message}}.with(
      "reason", std::generic_category().message(error_number));
  failed.add("path", path_.empty() ? "standard output" : path_);
  if (error_number == EPIPE) {
    return std::move(failed).fix("start again: streaming goes on from the last stored position");
  }
  if (error_number == ENOSPC || error_number == EDQUOT) {
    return std::move(failed).fix("free space on the disk of " + path_ +
                                 " and start again: the file is whole up to its last position");
  }
  return std::move(failed).fix("let the user that runs freshet write this path, or name another");
}

Result<std::unique_ptr<JsonlOutput>> JsonlOutput::open(const JsonlConfig& config) {
  int descriptor = -1;
  bool is_new = false;
  if (config.path.empty()) {
    descriptor = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  } else {
    is_new = access(config.path.c_str(), F_OK) != 0;
    descriptor = ::open(config.path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    // A pipe's reader opens one end only.
    if (descriptor < 0 && errno == EACCES) {
      descriptor = ::open(config.path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
    }
  }
  const int error_number = errno;
  std::unique_ptr<JsonlOutput> output(new JsonlOutput(config.path, descriptor));
  if (descriptor < 0) return output->error("the output cannot be opened", error_number);
  if (config.path.empty()) return output;
  FRESHET_TRY(output->lock_file());
  if (is_new) sync_directory_of(config.path);
  return output;
}

Status JsonlOutput::lock_file() {
  struct stat status{};
  if (fstat(descriptor_, &status) != 0) return error("the output cannot be opened", errno);
  is_file_ = S_ISREG(status.st_mode);
  if (!is_file_) return ok_status();
  if (flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return ok_status();
  if (errno != EWOULDBLOCK) return error("the output cannot be locked", errno);
  return Error{ErrorKind::lease_held, "another process writes to this file"}
      .with("path", path_)
      .fix("stop the other process (`fuser " + path_ + "` names it)");
}

JsonlOutput::~JsonlOutput() {
  if (descriptor_ >= 0) close(descriptor_);
}

Result<std::uint64_t> JsonlOutput::size() const {
  struct stat status{};
  if (fstat(descriptor_, &status) != 0) return error("the output cannot be read", errno);
  return static_cast<std::uint64_t>(status.st_size);
}

Result<std::string> JsonlOutput::read(std::uint64_t offset, std::size_t bytes) const {
  std::string text(bytes, '\0');
  std::size_t done = 0;
  while (done < bytes) {
    const ssize_t got =
        pread(descriptor_, text.data() + done, bytes - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return error("the output cannot be read", errno);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  text.resize(done);
  return text;
}

Status JsonlOutput::write(std::string_view bytes) {
  const SigpipeGuard guard;
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      FRESHET_TRY(wait_until_writable(descriptor_));
    } else if (errno != EINTR) {
      return error("the output cannot be written", errno);
    }
  }
  return ok_status();
}

Status JsonlOutput::truncate(std::uint64_t size) {
  if (!is_file_ || ftruncate(descriptor_, static_cast<off_t>(size)) == 0) return ok_status();
  return error("the output cannot be cut to its last position", errno);
}

Status JsonlOutput::sync() {
  if (!is_file_ || fdatasync(descriptor_) == 0) return ok_status();
  return error("the output did not reach the disk", errno);
}

}  // namespace freshet
