// A file mapped read-only into memory.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "freshet/result.h"

namespace freshet {

/// Owns the mapping. The file must not be truncated while it is mapped (reading on would be
/// SIGBUS).
class MappedFile {
 public:
  static Result<MappedFile> open(const std::string& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  std::string_view bytes() const noexcept { return {data_, size_}; }

 private:
  MappedFile(const char* data, std::size_t size) : data_(data), size_(size) {}

  const char* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace freshet
