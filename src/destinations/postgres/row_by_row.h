// Applies runs so that a change which the destination refuses fails alone, and answers it as the
// operator wants: the last effort, after all others have failed, or where changes wait already.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "destinations/postgres/quarantine.h"
#include "destinations/postgres/session.h"
#include "destinations/postgres/target.h"
#include "destinations/postgres/writer.h"
#include "freshet/config.h"
#include "freshet/destination.h"

namespace freshet::postgres {

/// One thread.
class RowByRow {
 public:
  struct Options {
    std::string destination;
    OnConflict on_conflict = OnConflict::error;
    std::string newest_by;  ///< With `newest_wins`.
    /// True for an error that the caller mends, to try again.
    std::function<bool(const Error&)> is_mended;
  };

  RowByRow(Options options,
           Session& session,
           GroupWriter& writer,
           TargetCache& targets,
           Quarantine& quarantine)
      : options_(std::move(options)),
        session_(session),
        writer_(writer),
        targets_(targets),
        quarantine_(quarantine) {}

  /// Applies the runs in the open transaction, whose pipeline is synced; plain mode afterwards.
  /// With `error` as the answer it names the one change that failed.
  Status write(std::span<const Run> runs);

  /// The transaction ended: what was counted in it is true, or never was.
  void commit();

  void roll_back() { counted_.clear(); }

  /// Committed since the last call.
  std::vector<TableConflicts> take_conflicts();

 private:
  using Clock = std::chrono::steady_clock;

  /// A change, or a truncate.
  struct Step {
    const Run* run = nullptr;
    const Change* change = nullptr;
  };

  struct Told {
    Clock::time_point at;
    std::uint64_t unlogged = 0;  ///< Since then.
  };

  static bool is_one_transaction(const Step& a, const Step& b);
  static std::size_t middle_of(std::span<const Step> steps);
  Status write_steps(std::span<const Step> steps);
  Status write_free(std::span<const Step> steps);
  Status truncate(const Step& step);
  Status answer(const Step& step, Error error);
  Status overwrite(const Step& step, Error error);
  Status leave_out(const Step& step, const Error& error);
  Status keep(const Step& step, const Error* reason);
  void tell(const Step& step, const Error& error);
  bool is_free(const Step& step);
  std::span<const Run> runs_of(std::span<const Step> steps);

  const Options options_;
  Session& session_;
  GroupWriter& writer_;
  TargetCache& targets_;
  Quarantine& quarantine_;
  std::vector<Step> steps_;
  std::vector<Run> runs_;
  std::map<TableName, ConflictCounts> counted_;    // in the open transaction
  std::map<TableName, ConflictCounts> committed_;  // and before it
  std::map<TableName, Told> told_;
};

}  // namespace freshet::postgres
