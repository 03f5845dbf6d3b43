#include "destinations/jsonl/writer.h"

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/try.h"
#include "destinations/jsonl/config.h"
#include "destinations/jsonl/journal.h"
#include "destinations/jsonl/json_text.h"
#include "destinations/jsonl/schema.h"
#include "destinations/jsonl/spool.h"

namespace freshet {
namespace {

using Clock = std::chrono::steady_clock;

/// How long a committed group may wait for the disk when its durability may be deferred.
constexpr std::chrono::milliseconds kSyncInterval{200};
constexpr std::size_t kRangeBufferBytes = std::size_t{256} << 10;
/// Lines of a group that is not complete move to the spool in pieces of this size.
constexpr std::size_t kPartBytes = std::size_t{1} << 20;
/// A buffer that one huge group made larger than this is given back.
constexpr std::size_t kKeptBufferBytes = std::size_t{32} << 20;

// Empty for standard output.
std::string directory_of(const std::string& path) {
  std::string directory = std::filesystem::path(path).parent_path().string();
  return directory.empty() && !path.empty() ? "." : directory;
}

Error not_open() {
  return Error{ErrorKind::internal, "the jsonl destination is not open"};
}

class JsonlRangeWriter final : public RangeWriter {
 public:
  JsonlRangeWriter(std::shared_ptr<Journal> journal, JsonlTable table, RangeId range)
      : journal_(std::move(journal)), table_(std::move(table)), range_(std::move(range)) {
    append_mark("begin");
  }

  Status rows(std::span<const Change> rows) override {
    for (const Change& row : rows) {
      const std::size_t start = buffer_.size();
      if (Status status = table_.append_copied(buffer_, row, range_.index); !status.ok()) {
        buffer_.resize(start);
        return status;
      }
      ++row_count_;
      if (buffer_.size() >= kRangeBufferBytes) FRESHET_TRY(flush());
    }
    return ok_status();
  }

  Status raw_rows(std::string_view) override {
    return Error{ErrorKind::internal, "the jsonl destination takes no raw copy"};
  }

  Status finish() override {
    append_mark("end");
    // A commit of its own, so that a reopening after an error does not cut the range away.
    Status status = journal_->commit({.lines = buffer_});
    buffer_.clear();
    return status;
  }

 private:
  void append_mark(std::string_view state) {
    buffer_ += fmt::format(R"({{"op":"range","table":{},"range":{},"of":{},"state":"{}")",
                           jsonl_table_json(range_.table), range_.index, range_.count, state);
    if (state == "end") buffer_ += fmt::format(R"(,"rows":{})", row_count_);
    buffer_ += "}\n";
  }

  Status flush() {
    Status status = journal_->append(buffer_);
    buffer_.clear();
    return status;
  }

  std::shared_ptr<Journal> journal_;
  JsonlTable table_;
  RangeId range_;
  std::string buffer_;
  std::uint64_t row_count_ = 0;
};

class JsonlDestination final : public Destination {
 public:
  JsonlDestination(JsonlConfig config, bool keeps_position)
      : config_(std::move(config)),
        keeps_position_(keeps_position),
        spool_(directory_of(config_.path)) {}

  Traits traits() const override {
    return {.keeps_position = keeps_position_,
            .is_transactional = true,
            .needs_full_rows = false,
            .copies_concurrently = true,
            .takes_raw_copy = false};
  }

  Result<DestinationState> open(const Lease& lease) override {
    forget_uncommitted();
    if (journal_) journal_->close();  // Its lock would keep us out.
    journal_.reset();
    FRESHET_TRY(journal_, Journal::open(config_, lease.pipeline));
    last_sync_ = Clock::now();
    DestinationState kept;
    if (!keeps_position_) return kept;
    const JournalState state = journal_->state();
    // Without its slot a position means nothing.
    if (state.slot) kept.position = state.position;
    kept.slot = state.slot;
    for (const auto& [name, phase] : state.tables)
      kept.tables.push_back({name, phase});
    return kept;
  }

  Status adopt_slot(const SlotIdentity& slot, Position start) override {
    if (!journal_) return not_open();
    const JournalState state = journal_->state();
    if (keeps_position_ && state.slot) {
      if (*state.slot == slot) return ok_status();
      return Error{ErrorKind::gap, "the file was written from another slot"}
          .with("path", config_.path)
          .with("slot", state.slot->slot_name)
          .with("position", to_string(state.position.value_or(Position{}).end))
          .fix("move the file away and start again to copy afresh");
    }
    FRESHET_TRY(journal_->commit({.position = start, .slot = slot}));
    return sync();
  }

  Status forget_slot() override {
    if (!journal_) return not_open();
    if (!keeps_position_) return ok_status();
    FRESHET_TRY(journal_->commit({.forgets_slot = true}));
    return sync();
  }

  Status prepare_table(const SchemaPtr& schema) override {
    FRESHET_TRY(JsonlTable::make(schema));
    return ok_status();
  }

  Status reset_table(const SchemaPtr& schema) override {
    if (!journal_) return not_open();
    const PhaseChange phase{.name = schema->name, .phase = TablePhase::copying};
    std::string lines =
        fmt::format("{{\"op\":\"reset\",\"table\":{}}}\n", jsonl_table_json(schema->name));
    FRESHET_TRY(const JsonlTable table, JsonlTable::make(schema));
    FRESHET_TRY(table.append_schema(lines));
    schema_lines_.erase(schema->name);
    FRESHET_TRY(journal_->commit({.lines = lines, .phases = {&phase, 1}}));
    return sync();
  }

  Result<std::unique_ptr<RangeWriter>> begin_range(const SchemaPtr& schema,
                                                   const RangeId& range) override {
    if (!journal_) return not_open();
    FRESHET_TRY(JsonlTable table, JsonlTable::make(schema));
    return std::unique_ptr<RangeWriter>(
        std::make_unique<JsonlRangeWriter>(journal_, std::move(table), range));
  }

  Status finish_copy(const SchemaPtr&) override { return ok_status(); }

  Status evolve(const SchemaPtr&, const SchemaPtr& to) override {
    FRESHET_TRY(const JsonlTable table, JsonlTable::make(to));
    std::string line;
    FRESHET_TRY(table.append_schema(line));
    schema_lines_[to->name] = std::move(line);
    return ok_status();
  }

  Result<Position> write(const Group& group, Durability durability) override {
    if (!journal_) return not_open();
    Status status = append_group(group);
    if (status.ok() && group.is_complete) status = commit(group);
    if (!status.ok()) {
      forget_uncommitted();
      return std::move(status).error();
    }
    const bool is_due = Clock::now() - last_sync_ >= kSyncInterval;
    if (durability == Durability::required || is_due || !keeps_position_) FRESHET_TRY(sync());
    return journal_->durable();
  }

  Status close(Clock::time_point) override {
    if (!journal_) return ok_status();
    forget_uncommitted();
    Status status = journal_->sync();
    journal_->close();
    journal_.reset();
    return status;
  }

 private:
  void forget_uncommitted() {
    schema_lines_.clear();
    lines_.clear();
    spool_.clear();
  }

  Status sync() {
    last_sync_ = Clock::now();
    return journal_->sync();
  }

  Result<const JsonlTable*> table_of(const SchemaPtr& schema) {
    const auto found = tables_.find(schema->name);
    if (found != tables_.end() && found->second.schema() == schema) return &found->second;
    FRESHET_TRY(JsonlTable table, JsonlTable::make(schema));
    return &tables_.insert_or_assign(schema->name, std::move(table)).first->second;
  }

  Status append_group(const Group& group) {
    for (const auto& [name, line] : std::exchange(schema_lines_, {}))
      lines_ += line;
    for (const Run& run : group.runs) {
      for (const SchemaPtr& table : run.truncated)
        append_truncate(run, *table);
      if (!run.schema) continue;
      FRESHET_TRY(const JsonlTable* table, table_of(run.schema));
      for (const Change& change : run.changes) {
        FRESHET_TRY(table->append_change(lines_, change));
        if (!group.is_complete && lines_.size() >= kPartBytes) FRESHET_TRY(spool_lines());
      }
    }
    return group.is_complete ? ok_status() : spool_lines();
  }

  void append_truncate(const Run& run, const TableSchema& table) {
    lines_ +=
        fmt::format("{{\"op\":\"truncate\",\"table\":{},\"cascade\":{},\"restart_identity\":{}}}\n",
                    jsonl_table_json(table.name), run.is_cascade, run.restarts_identity);
  }

  Status spool_lines() {
    FRESHET_TRY(spool_.append(lines_));
    lines_.clear();
    return ok_status();
  }

  Status commit(const Group& group) {
    FRESHET_TRY(journal_->commit(
        {.earlier = &spool_, .lines = lines_, .phases = group.phases, .position = group.upto}));
    lines_.clear();
    if (lines_.capacity() > kKeptBufferBytes) lines_.shrink_to_fit();
    return ok_status();
  }

  JsonlConfig config_;
  bool keeps_position_;
  std::shared_ptr<Journal> journal_;
  std::map<TableName, JsonlTable> tables_;
  std::map<TableName, std::string> schema_lines_;  ///< To stand ahead of the next group.
  std::string lines_;                              ///< Of the group being written.
  LineSpool spool_;  ///< Earlier parts of a transaction that is not complete.
  Clock::time_point last_sync_;
};

}  // namespace

Result<std::unique_ptr<Destination>> make_jsonl_destination(const DestinationConfig& config) {
  FRESHET_TRY(JsonlConfig parsed, parse_jsonl_config(config));
  std::error_code ignored;
  const auto kind = std::filesystem::status(parsed.path, ignored).type();
  const bool is_file = !parsed.path.empty() && (kind == std::filesystem::file_type::regular ||
                                                kind == std::filesystem::file_type::not_found);
  return std::unique_ptr<Destination>(
      std::make_unique<JsonlDestination>(std::move(parsed), is_file));
}

}  // namespace freshet
