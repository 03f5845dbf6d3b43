#include "pipeline/spill_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/try.h"

namespace freshet {
namespace {

constexpr mode_t kDirectoryMode = 0700;
constexpr mode_t kFileMode = 0600;

Error storage_error(const char* what, const std::string& directory, int code) {
  Error error = Error{ErrorKind::storage, what}
                    .with("directory", directory)
                    .with("reason", std::generic_category().message(code));
  if (code == ENOSPC || code == EDQUOT || code == EFBIG) {
    return std::move(error).fix(
        "free some space there, or move the spill directory to a larger disk");
  }
  if (code == EMFILE || code == ENFILE) return std::move(error).fix("raise the limit: ulimit -n");
  return std::move(error).fix("make the directory writable for the user that runs freshet");
}

/// A file without a name.
class DiskSpillFile final : public SpillFile {
 public:
  DiskSpillFile(int descriptor, std::string directory)
      : descriptor_(descriptor), directory_(std::move(directory)) {}

  ~DiskSpillFile() override { ::close(descriptor_); }

  DiskSpillFile(const DiskSpillFile&) = delete;
  DiskSpillFile& operator=(const DiskSpillFile&) = delete;

  Result<std::uint64_t> append(std::string_view bytes) override {
    const std::uint64_t offset = size_;
    while (!bytes.empty()) {
      const ssize_t written =
          ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(size_));
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) {
        const int code = written < 0 ? errno : ENOSPC;
        return storage_error("cannot write a large transaction to its spill file", directory_,
                             code);
      }
      size_ += static_cast<std::uint64_t>(written);
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return offset;
  }

  Status read(std::uint64_t offset, std::span<char> into) const override {
    while (!into.empty()) {
      const ssize_t count =
          ::pread(descriptor_, into.data(), into.size(), static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return storage_error("cannot read a spill file", directory_, errno);
      if (count == 0) {
        return Error{ErrorKind::storage, "a spill file ends too early"}.with("directory",
                                                                             directory_);
      }
      offset += static_cast<std::uint64_t>(count);
      into = into.subspan(static_cast<std::size_t>(count));
    }
    return ok_status();
  }

 private:
  const int descriptor_;
  const std::string directory_;
  std::uint64_t size_ = 0;  // Only the appending thread looks at it.
};

/// For file systems that cannot make a file without a name: makes one and takes its name away.
int open_and_unlink(const std::string& directory) {
  std::string path = directory + "/spill-XXXXXX";
  const int descriptor = ::mkostemp(path.data(), O_CLOEXEC);
  if (descriptor >= 0) ::unlink(path.c_str());
  return descriptor;
}

}  // namespace

Result<std::unique_ptr<DiskSpillStore>> DiskSpillStore::open(std::string directory) {
  std::error_code code;
  const std::filesystem::path path{directory};
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), code);
  if (code) return storage_error("cannot create the spill directory", directory, code.value());
  if (::mkdir(directory.c_str(), kDirectoryMode) != 0 && errno != EEXIST) {
    return storage_error("cannot create the spill directory", directory, errno);
  }
  if (!std::filesystem::is_directory(path, code)) {
    return storage_error("the spill directory is something else", directory, ENOTDIR);
  }
  if (::access(directory.c_str(), W_OK | X_OK) != 0) {
    return storage_error("cannot write to the spill directory", directory, errno);
  }
  return std::unique_ptr<DiskSpillStore>{new DiskSpillStore{std::move(directory)}};
}

Result<std::unique_ptr<SpillFile>> DiskSpillStore::create() {
  int descriptor = ::open(directory_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, kFileMode);
  if (descriptor < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
    descriptor = open_and_unlink(directory_);
  }
  if (descriptor < 0) return storage_error("cannot create a spill file", directory_, errno);
  return std::unique_ptr<SpillFile>{std::make_unique<DiskSpillFile>(descriptor, directory_)};
}

}  // namespace freshet
