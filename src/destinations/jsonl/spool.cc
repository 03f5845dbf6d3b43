#include "destinations/jsonl/spool.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <system_error>

#include "base/try.h"

namespace freshet {
namespace {

constexpr std::size_t kMemoryBytesMax = std::size_t{4} << 20;
constexpr std::size_t kPieceBytes = std::size_t{1} << 20;

Error spool_error(const std::string& directory, int error_number) {
  return Error{ErrorKind::storage, "a large transaction cannot be kept on disk until it is whole"}
      .with("directory", directory)
      .with("reason", std::generic_category().message(error_number))
      .fix("free space there, or let the user that runs freshet write there");
}

}  // namespace

LineSpool::~LineSpool() {
  if (file_ >= 0) close(file_);
}

Status LineSpool::append(std::string_view lines) {
  memory_ += lines;
  return memory_.size() < kMemoryBytesMax ? ok_status() : spill();
}

Status LineSpool::spill() {
  if (directory_.empty()) {
    const char* const temporary = std::getenv("TMPDIR");
    directory_ = temporary == nullptr ? "/tmp" : temporary;
  }
  if (file_ < 0) {
    std::string name = directory_ + "/.freshet-spool-XXXXXX";
    file_ = mkostemp(name.data(), O_CLOEXEC);
    if (file_ < 0) return spool_error(directory_, errno);
    // No name: nothing is left behind, however the process ends.
    unlink(name.c_str());
  }
  std::string_view rest = memory_;
  while (!rest.empty()) {
    const ssize_t written =
        pwrite(file_, rest.data(), rest.size(), static_cast<off_t>(file_bytes_));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return spool_error(directory_, errno);
    rest.remove_prefix(static_cast<std::size_t>(written));
    file_bytes_ += static_cast<std::uint64_t>(written);
  }
  memory_.clear();
  return ok_status();
}

Result<std::string> LineSpool::read_piece(std::uint64_t offset) {
  std::string piece;
  while (true) {
    const std::size_t start = piece.size();
    piece.resize(start + kPieceBytes);
    const ssize_t got =
        pread(file_, piece.data() + start, kPieceBytes, static_cast<off_t>(offset + start));
    if (got < 0) return spool_error(directory_, errno);
    piece.resize(start + static_cast<std::size_t>(got));
    const std::size_t end = piece.rfind('\n');
    if (end != std::string::npos) {
      piece.resize(end + 1);
      return piece;
    }
    if (got == 0) return spool_error(directory_, EIO);
  }
}

void LineSpool::clear() {
  memory_.clear();
  file_bytes_ = 0;
  // A file stays open for the next large transaction; its space goes back now.
  if (file_ >= 0 && ftruncate(file_, 0) != 0) {
    close(file_);
    file_ = -1;
  }
}

}  // namespace freshet
