#include "destinations/null/writer.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <mutex>
#include <system_error>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/try.h"
#include "destinations/null/config.h"
#include "destinations/null/encoding.h"
#include "destinations/null/tally.h"
#include "freshet/arena.h"
#include "types/copy_text.h"

namespace freshet {
namespace {

/// The tallies, shared by the lane and the copiers.
struct SharedTallies {
  std::mutex mutex;  ///< Guards `tables`; not what of a table is the lane's alone.
  Tallies tables;    ///< Nodes stay where they are.
};

class NullRangeWriter final : public RangeWriter {
 public:
  NullRangeWriter(std::shared_ptr<SharedTallies> tallies, RangeId range, std::size_t column_count)
      : tallies_(std::move(tallies)), range_(std::move(range)), fields_(column_count) {}

  Status rows(std::span<const Change> rows) override {
    for (const Change& row : rows)
      tally_.add(row_hash(row.after), row_bytes(row.after));
    return ok_status();
  }

  Status raw_rows(std::string_view copy_text) override {
    while (!copy_text.empty()) {
      const std::size_t end = copy_text.find('\n');
      if (end == std::string_view::npos) {
        return Error{ErrorKind::protocol, "copied text does not end with a line break"};
      }
      FRESHET_TRY(split_copy_row(copy_text.substr(0, end), fields_, arena_));
      tally_.add(row_hash(fields_), end);
      copy_text.remove_prefix(end + 1);
    }
    arena_.clear();
    return ok_status();
  }

  Status finish() override {
    const std::lock_guard lock(tallies_->mutex);
    tallies_->tables[range_.table].copied[range_.index] = tally_;
    return ok_status();
  }

 private:
  std::shared_ptr<SharedTallies> tallies_;
  RangeId range_;
  RowTally tally_;
  std::vector<Value> fields_;  // of the row being read
  Arena arena_;
};

class NullDestination final : public Destination {
 public:
  explicit NullDestination(NullConfig config) : config_(std::move(config)) {}

  Traits traits() const override {
    return {.keeps_position = false,
            .is_transactional = true,
            .needs_full_rows = false,
            .copies_concurrently = true,
            .takes_raw_copy = true};
  }

  Result<DestinationState> open(const Lease&) override {
    forget_pending();
    return DestinationState{};
  }

  Status adopt_slot(const SlotIdentity&, Position start) override {
    position_ = start;
    return ok_status();
  }

  // Phases are the state store's; counts begin anew with the tables' copies.
  Status forget_slot() override { return ok_status(); }

  Status prepare_table(const SchemaPtr& schema) override {
    table(schema->name);
    return ok_status();
  }

  Status reset_table(const SchemaPtr& schema) override {
    const std::lock_guard lock(tallies_->mutex);
    tallies_->tables[schema->name] = {};
    return ok_status();
  }

  Result<std::unique_ptr<RangeWriter>> begin_range(const SchemaPtr& schema,
                                                   const RangeId& range) override {
    return std::unique_ptr<RangeWriter>(
        std::make_unique<NullRangeWriter>(tallies_, range, schema->columns.size()));
  }

  Status finish_copy(const SchemaPtr&) override { return ok_status(); }

  Status evolve(const SchemaPtr&, const SchemaPtr&) override { return ok_status(); }

  Result<Position> write(const Group& group, Durability) override {
    for (const Run& run : group.runs)
      add_run(run);
    if (!group.is_complete) return position_;
    for (TableTally* pending : pending_) {
      pending->streamed.add(pending->pending);
      pending->pending = {};
    }
    pending_.clear();
    position_ = group.upto;
    return position_;
  }

  Status close(std::chrono::steady_clock::time_point) override {
    forget_pending();
    const std::lock_guard lock(tallies_->mutex);
    const std::string report = report_json(tallies_->tables, position_);
    if (!config_.report_path.empty()) return write_report(report);
    log_info("null destination counted", {{"report", report.substr(0, report.size() - 1)}});
    return ok_status();
  }

 private:
  TableTally& table(const TableName& name) {
    const std::lock_guard lock(tallies_->mutex);
    return tallies_->tables[name];
  }

  TableTally& pending_table(const TableName& name) {
    TableTally& found = table(name);
    if (std::find(pending_.begin(), pending_.end(), &found) == pending_.end()) {
      pending_.push_back(&found);
    }
    return found;
  }

  void add_run(const Run& run) {
    for (const SchemaPtr& truncated : run.truncated) {
      ++pending_table(truncated->name).pending.truncated;
    }
    if (!run.schema) return;
    ChangeTally& tally = pending_table(run.schema->name).pending;
    for (const Change& change : run.changes)
      tally.add(change);
  }

  void forget_pending() {
    for (TableTally* pending : pending_)
      pending->pending = {};
    pending_.clear();
  }

  Status write_report(const std::string& report) const {
    std::FILE* const file = std::fopen(config_.report_path.c_str(), "we");
    bool is_written =
        file != nullptr && std::fwrite(report.data(), 1, report.size(), file) == report.size();
    int error_number = errno;
    if (file != nullptr && std::fclose(file) != 0) {
      is_written = false;
      error_number = errno;
    }
    if (is_written) return ok_status();
    return Error{ErrorKind::storage, "the null destination's report cannot be written"}
        .with("path", config_.report_path)
        .with("reason", std::generic_category().message(error_number));
  }

  NullConfig config_;
  std::shared_ptr<SharedTallies> tallies_ = std::make_shared<SharedTallies>();
  std::vector<TableTally*> pending_;  ///< Tables of the group or transaction being written.
  Position position_;
};

}  // namespace

Result<std::unique_ptr<Destination>> make_null_destination(const DestinationConfig& config) {
  FRESHET_TRY(NullConfig parsed, parse_null_config(config));
  return std::unique_ptr<Destination>(std::make_unique<NullDestination>(std::move(parsed)));
}

}  // namespace freshet
