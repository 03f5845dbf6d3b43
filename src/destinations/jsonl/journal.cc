#include "destinations/jsonl/journal.h"

#include <utility>

#include <fmt/format.h>

#include "base/log.h"
#include "base/try.h"
#include "base/xxh64.h"
#include "destinations/jsonl/journal_reader.h"
#include "destinations/jsonl/json_text.h"
#include "destinations/jsonl/schema.h"

namespace freshet {
namespace {

std::string json_string(std::string_view text) {
  std::string json;
  return append_json_string(json, text) ? json : "\"?\"";
}

std::string json_lsn(Lsn lsn) {
  return fmt::format("\"{}\"", to_string(lsn));
}

}  // namespace

std::uint64_t journal_sum(std::string_view lines, std::uint64_t sum) {
  while (!lines.empty()) {
    const std::size_t end = lines.find('\n') + 1;
    sum = xxh64(lines.substr(0, end), sum);
    lines.remove_prefix(end);
  }
  return sum;
}

Result<std::unique_ptr<Journal>> Journal::open(const JsonlConfig& config,
                                               const std::string& pipeline) {
  FRESHET_TRY(auto output, JsonlOutput::open(config));
  std::unique_ptr<Journal> journal(new Journal(std::move(output)));
  journal->pipeline_ = pipeline;
  if (!journal->is_file()) return journal;
  JournalReader reader(*journal->output_, config.path);
  FRESHET_TRY(JournalFindings found, reader.read(pipeline));
  if (found.size > found.committed_size) {
    log_info("cut lines that were not committed",
             {{"path", config.path}, {"bytes", found.size - found.committed_size}});
    FRESHET_TRY(journal->output_->truncate(found.committed_size));
  }
  // What is read back may still be in memory only.
  FRESHET_TRY(journal->output_->sync());
  journal->size_ = journal->committed_size_ = journal->durable_size_ = found.committed_size;
  journal->state_at_ = found.state_at;
  journal->is_state_written_ = found.state.position.has_value();
  if (found.state.position) journal->durable_ = *found.state.position;
  journal->state_ = std::move(found.state);
  return journal;
}

JournalState Journal::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

void Journal::record(const JournalCommit& commit) {
  if (commit.forgets_slot) {
    state_.slot.reset();
    for (auto& [name, phase] : state_.tables)
      if (phase != TablePhase::paused) phase = TablePhase::pending;
    is_state_written_ = false;
  }
  if (commit.slot) state_.slot = commit.slot;
  for (const PhaseChange& change : commit.phases)
    state_.tables[change.name] = change.phase;
  if (commit.slot || !commit.phases.empty()) is_state_written_ = false;
  if (commit.position) state_.position = commit.position;
}

Status Journal::check_open() const {
  if (!output_) {
    return Error{ErrorKind::fenced, "the output was closed, or opened again by somebody newer"};
  }
  if (!is_broken_) return ok_status();
  return Error{ErrorKind::storage, "the output failed before and was not opened again"};
}

std::string Journal::header_line() const {
  return fmt::format("{}{}}}\n", kHeaderStart, json_string(pipeline_));
}

std::string Journal::state_line() const {
  std::string line = R"({"op":"state","slot":)";
  if (state_.slot) {
    line += fmt::format(
        R"({{"system_identifier":{},"timeline":{},"name":{},"consistent_point":{},"epoch":{}}})",
        json_string(state_.slot->system_identifier), state_.slot->timeline,
        json_string(state_.slot->slot_name), json_lsn(state_.slot->consistent_point),
        json_string(state_.slot->epoch));
  } else {
    line += "null";
  }
  line += R"(,"tables":[)";
  bool is_first = true;
  for (const auto& [name, phase] : state_.tables) {
    line += fmt::format(R"({}{{"schema":{},"name":{},"phase":"{}"}})", is_first ? "" : ",",
                        json_string(name.schema), json_string(name.table), to_string(phase));
    is_first = false;
  }
  return line + "]}\n";
}

std::string Journal::position_line() const {
  const std::string lsn = json_lsn(state_.position->end);
  if (!is_file()) return fmt::format("{{\"op\":\"position\",\"lsn\":{}}}\n", lsn);
  return fmt::format("{}\"lsn\":{},\"state_at\":{},\"synced\":{},\"sum\":\"{:016x}\"}}\n",
                     kPositionStart, lsn, state_at_, durable_size_, sum_);
}

Status Journal::give_up(Error error, std::uint64_t keep_bytes) {
  is_broken_ = true;
  // Should this fail too, the next open cuts the file.
  const Status cut = output_->truncate(keep_bytes);
  if (!cut.ok()) log_error(LogLevel::warn, "the file keeps lines that do not count", cut.error());
  return error;
}

Status Journal::write(std::string_view lines) {
  Status status = output_->write(lines);
  if (!status.ok()) return give_up(std::move(status).error(), committed_size_);
  size_ += lines.size();
  return ok_status();
}

Status Journal::append_locked(std::string_view lines) {
  FRESHET_TRY(check_open());
  if (is_file() && size_ == 0) {
    const std::string header = header_line();
    FRESHET_TRY(write(header));
    sum_ = journal_sum(header, sum_);
  }
  FRESHET_TRY(write(lines));
  if (is_file()) sum_ = journal_sum(lines, sum_);
  return ok_status();
}

Status Journal::append(std::string_view lines) {
  const std::lock_guard lock(mutex_);
  return append_locked(lines);
}

Status Journal::commit(const JournalCommit& commit) {
  const std::lock_guard lock(mutex_);
  FRESHET_TRY(check_open());
  if (commit.earlier != nullptr) {
    FRESHET_TRY(
        commit.earlier->drain([this](std::string_view lines) { return append_locked(lines); }));
  }
  FRESHET_TRY(append_locked(commit.lines));
  record(commit);
  if (!state_.position) return ok_status();
  if (is_file() && !is_state_written_) {
    const std::uint64_t state_at = size_;
    FRESHET_TRY(append_locked(state_line()));
    state_at_ = state_at;
    is_state_written_ = true;
  }
  FRESHET_TRY(write(position_line()));
  sum_ = 0;
  committed_size_ = size_;
  return ok_status();
}

Status Journal::sync() {
  std::uint64_t size = 0;
  Position position;
  {
    const std::lock_guard lock(mutex_);
    FRESHET_TRY(check_open());
    size = committed_size_;
    position = state_.position.value_or(Position{});
  }
  if (is_file() && size == durable_size_) return ok_status();
  Status status = output_->sync();
  const std::lock_guard lock(mutex_);
  // After a failed fdatasync the kernel may drop the pages and say that all is well the next time.
  if (!status.ok()) return give_up(std::move(status).error(), durable_size_);
  durable_size_ = size;
  durable_ = position;
  return ok_status();
}

void Journal::close() {
  const std::lock_guard lock(mutex_);
  output_.reset();
}

Position Journal::durable() const {
  const std::lock_guard lock(mutex_);
  return durable_;
}

}  // namespace freshet
