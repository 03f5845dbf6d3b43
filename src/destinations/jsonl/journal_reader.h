// Finds the last commit of a file that Freshet wrote, after a crash or a power failure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "destinations/jsonl/journal.h"
#include "destinations/jsonl/output.h"

namespace freshet {

constexpr std::string_view kHeaderStart = R"({"op":"header","format":1,"pipeline":)";
constexpr std::string_view kPositionStart = R"({"op":"position",)";

/// Continues the sum of a position line over whole lines.
std::uint64_t journal_sum(std::string_view lines, std::uint64_t sum);

struct JournalFindings {
  JournalState state;
  std::uint64_t size = 0;            ///< Of the file as found.
  std::uint64_t committed_size = 0;  ///< What counts of it.
  std::uint64_t state_at = 0;
};

class JournalReader {
 public:
  JournalReader(const JsonlOutput& file, std::string path) : file_(file), path_(std::move(path)) {}

  /// Fails with `config` if the file is not ours or another pipeline's.
  Result<JournalFindings> read(const std::string& pipeline);

 private:
  struct PositionLine {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;  ///< After its line break.
    Lsn lsn = kNoLsn;
    std::uint64_t state_at = 0;
    std::uint64_t synced = 0;
    std::uint64_t sum = 0;
  };

  Result<bool> check_header(const std::string& pipeline);
  Result<std::optional<PositionLine>> find_last_position(std::uint64_t before);
  Result<PositionLine> last_intact(const PositionLine& last);
  Result<std::optional<PositionLine>> read_position(std::uint64_t begin);
  Status read_state(std::uint64_t offset, JournalState& into);
  Result<std::string> read_line(std::uint64_t begin, std::size_t bytes_max);
  Error damaged(std::string_view what) const;

  const JsonlOutput& file_;
  std::string path_;
  std::uint64_t size_ = 0;
};

}  // namespace freshet
