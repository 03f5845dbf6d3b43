// The file or stream that lines go to.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "destinations/jsonl/config.h"
#include "freshet/result.h"

namespace freshet {

/// An open file descriptor. One thread at a time, sync() aside.
class JsonlOutput {
 public:
  /// Opens and locks the file, or takes standard output. Creates a file with mode 0600; another
  /// writer's lock is `lease_held`.
  static Result<std::unique_ptr<JsonlOutput>> open(const JsonlConfig& config);
  JsonlOutput(const JsonlOutput&) = delete;
  JsonlOutput& operator=(const JsonlOutput&) = delete;
  ~JsonlOutput();

  /// True for a regular file: it can be read back, cut and synced. Else a pipe or terminal.
  bool is_file() const noexcept { return is_file_; }

  Result<std::uint64_t> size() const;
  /// Reads up to `bytes` bytes at `offset`; fewer only at the end.
  Result<std::string> read(std::uint64_t offset, std::size_t bytes) const;
  /// Writes all of `bytes` at the end, or fails.
  Status write(std::string_view bytes);
  Status truncate(std::uint64_t size);
  /// Waits until what was written is on the disk. From any thread.
  Status sync();

 private:
  JsonlOutput(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}

  Status lock_file();
  Error error(std::string_view message, int error_number) const;

  std::string path_;
  int descriptor_;
  bool is_file_ = false;
};

}  // namespace freshet
