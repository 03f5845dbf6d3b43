// Holds the lines of a transaction that comes in parts until it is whole: nothing of it may be seen
// before. Past a limit they go to a file that has no name.
#pragma once

#include <string>
#include <string_view>

#include "freshet/result.h"

namespace freshet {

class LineSpool {
 public:
  /// `directory`: where the file goes; empty for the system's place for temporary files.
  explicit LineSpool(std::string directory) : directory_(std::move(directory)) {}

  LineSpool(const LineSpool&) = delete;
  LineSpool& operator=(const LineSpool&) = delete;
  ~LineSpool();

  Status append(std::string_view lines);

  bool empty() const noexcept { return memory_.empty() && file_bytes_ == 0; }

  /// Hands out all lines in order, in pieces of whole lines, to `take(std::string_view) -> Status`.
  template <typename Take>
  Status drain(Take take);
  void clear();

 private:
  Status spill();
  Result<std::string> read_piece(std::uint64_t offset);

  std::string directory_;
  std::string memory_;
  int file_ = -1;
  std::uint64_t file_bytes_ = 0;
};

template <typename Take>
Status LineSpool::drain(Take take) {
  for (std::uint64_t offset = 0; offset < file_bytes_;) {
    auto piece = read_piece(offset);
    if (!piece.ok()) return std::move(piece).error();
    offset += piece->size();
    if (Status status = take(std::string_view(*piece)); !status.ok()) return status;
  }
  if (!memory_.empty()) {
    if (Status status = take(std::string_view(memory_)); !status.ok()) return status;
  }
  clear();
  return ok_status();
}

}  // namespace freshet
