// The lines of one output in commit order: what is written, what of it counts, what is durable.
//
// A file is read up to its last position line; what follows was not committed. Lines that are ours
// alone (see docs/destinations/jsonl.md):
//   {"op":"header",...}    first line: format and pipeline
//   {"op":"state",...}     slot and table phases, whole; written when they change
//   {"op":"position","lsn":"0/1A2B3C","state_at":N,"synced":N,"sum":"<16 hex digits>"}
//       state_at: offset of the state line that holds; synced: offset up to which the file was
//       known to be on the disk; sum: h = XXH64(line with its line break, seed h) over the lines
//       since the position line before, h starting at 0.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "destinations/jsonl/output.h"
#include "destinations/jsonl/spool.h"
#include "freshet/destination.h"

namespace freshet {

/// What a file says at its last position line.
struct JournalState {
  std::optional<Position> position;
  std::optional<SlotIdentity> slot;
  std::map<TableName, TablePhase> tables;
};

/// What one commit adds. Ends in a position line, the standing one where `position` is not set.
struct JournalCommit {
  LineSpool* earlier = nullptr;  ///< Lines that go before `lines`; drained.
  std::string_view lines = {};
  std::span<const PhaseChange> phases = {};
  std::optional<Position> position = {};
  std::optional<SlotIdentity> slot = {};
  bool forgets_slot = false;  ///< And has all tables copied again that are not paused.
};

/// Writes lines. append() and commit() may be called from any thread, the rest from the lane's.
class Journal {
 public:
  /// Reads what a file holds of `pipeline` and cuts what was not committed.
  static Result<std::unique_ptr<Journal>> open(const JsonlConfig& config,
                                               const std::string& pipeline);

  bool is_file() const noexcept { return is_file_; }

  JournalState state() const;
  /// Adds whole lines that count from the next commit on.
  Status append(std::string_view lines);
  /// From any thread. On an error the file is cut back to its last commit and nothing more
  /// accepted.
  Status commit(const JournalCommit& commit);
  /// Waits until all that was committed is on the disk. On an error the file is cut back to what
  /// is.
  Status sync();
  Position durable() const;
  /// Closes the output: whoever still holds the journal is fenced.
  void close();

 private:
  friend class JournalReader;

  explicit Journal(std::unique_ptr<JsonlOutput> output)
      : is_file_(output->is_file()), output_(std::move(output)) {}

  Status write(std::string_view lines);
  Status append_locked(std::string_view lines);
  Status check_open() const;
  void record(const JournalCommit& commit);
  std::string header_line() const;
  std::string state_line() const;
  std::string position_line() const;
  Status give_up(Error error, std::uint64_t keep_bytes);

  const bool is_file_;
  std::unique_ptr<JsonlOutput> output_;  ///< Null once closed.
  std::string pipeline_;
  /// Guards all below. Held while writing, so that lines of several threads stay whole.
  mutable std::mutex mutex_;
  JournalState state_;
  bool is_state_written_ = false;
  bool is_broken_ = false;  ///< A write failed: reopen to go on.
  std::uint64_t size_ = 0;
  std::uint64_t state_at_ = 0;
  std::uint64_t sum_ = 0;  ///< Over the lines since the last position line.
  std::uint64_t committed_size_ = 0;
  std::uint64_t durable_size_ = 0;
  Position durable_;
};

}  // namespace freshet
