#include "embedders/static_model/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace freshet {
namespace {

Error file_error(std::string_view what, const std::string& path) {
  const std::string reason = std::generic_category().message(errno);
  return Error{ErrorKind::storage, std::string{what}}.with("path", path).with("reason", reason);
}

}  // namespace

Result<MappedFile> MappedFile::open(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return file_error("model file could not be opened", path);
  struct stat status = {};
  void* mapping = MAP_FAILED;
  const bool is_file = ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
  const std::size_t size = is_file ? static_cast<std::size_t>(status.st_size) : 0;
  if (size > 0) mapping = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  const int failure = errno;
  ::close(descriptor);
  if (size == 0) {
    return Error{ErrorKind::config, "model file is empty or not a file"}.with("path", path);
  }
  errno = failure;
  if (mapping == MAP_FAILED) return file_error("model file could not be mapped", path);
  return MappedFile{static_cast<const char*>(mapping), size};
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  // munmap takes a pointer to non-const although it changes no byte.
  if (data_ != nullptr) ::munmap(const_cast<char*>(data_), size_);
}

}  // namespace freshet
