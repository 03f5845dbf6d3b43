#include "destinations/postgres/row_by_row.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/try.h"
#include "destinations/postgres/make_room.h"

namespace freshet::postgres {
namespace {

// What is applied under one savepoint: large enough to be fast, small enough to be done again in
// halves until the one that fails stands alone.
constexpr std::size_t kSliceMax = 256;
constexpr std::chrono::minutes kTellInterval{1};
// That one row may conflict with, one after the other.
constexpr int kUniqueIndexesMax = 32;

std::string_view describe(OnConflict answer) {
  switch (answer) {
    case OnConflict::error:
      return "error";
    case OnConflict::source_wins:
      return "source_wins";
    case OnConflict::skip:
      return "skip";
    case OnConflict::quarantine:
      return "quarantine";
  }
  return "";
}

}  // namespace

Status RowByRow::write(std::span<const Run> runs) {
  steps_.clear();
  for (const Run& run : runs) {
    if (!run.truncated.empty()) steps_.push_back({&run, nullptr});
    for (const Change& change : run.changes)
      steps_.push_back({&run, &change});
    if (run.schema) FRESHET_TRY(quarantine_.refresh(session_.connection(), run.schema->name));
  }
  const std::span<const Step> steps{steps_};
  for (std::size_t start = 0; start < steps.size(); start += kSliceMax) {
    FRESHET_TRY(write_steps(steps.subspan(start, std::min(kSliceMax, steps.size() - start))));
  }
  return ok_status();
}

bool RowByRow::is_free(const Step& step) {
  return step.change != nullptr &&
         !quarantine_.holds(targets_.at(step.run->schema.get()), *step.change);
}

Status RowByRow::write_steps(std::span<const Step> steps) {
  while (!steps.empty()) {
    const auto end =
        std::find_if(steps.begin(), steps.end(), [&](const Step& step) { return !is_free(step); });
    const auto count = static_cast<std::size_t>(end - steps.begin());
    if (count > 0) {
      FRESHET_TRY(write_free(steps.first(count)));
    } else if (steps.front().change == nullptr) {
      FRESHET_TRY(truncate(steps.front()));
    } else {
      FRESHET_TRY(keep(steps.front(), nullptr));
    }
    steps = steps.subspan(std::max<std::size_t>(count, 1));
  }
  return ok_status();
}

// One that fails may hold the key of one that follows: halves are looked at anew.
Status RowByRow::write_free(std::span<const Step> steps) {
  Status tried = write_apart(session_, writer_, runs_of(steps), Effort::ordered);
  if (tried.ok() || !is_row_conflict(tried.error())) return tried;
  if (steps.size() == 1) return answer(steps.front(), std::move(tried).error());
  const std::size_t half = steps.size() / 2;
  FRESHET_TRY(write_steps(steps.first(half)));
  return write_steps(steps.subspan(half));
}

std::span<const Run> RowByRow::runs_of(std::span<const Step> steps) {
  runs_.clear();
  const Run* last = nullptr;
  for (const Step& step : steps) {
    if (step.run == last) {
      runs_.back().changes = {runs_.back().changes.data(), runs_.back().changes.size() + 1};
      continue;
    }
    last = step.run;
    runs_.push_back({.schema = step.run->schema, .changes = {step.change, 1}, .truncated = {}});
  }
  return runs_;
}

Status RowByRow::truncate(const Step& step) {
  FRESHET_TRY(session_.begin_pipeline());
  FRESHET_TRY(writer_.write({step.run, 1}, Effort::ordered));
  FRESHET_TRY(session_.end_pipeline());
  for (const SchemaPtr& schema : step.run->truncated)
    FRESHET_TRY(quarantine_.drop(session_.connection(), schema->name));
  return ok_status();
}

Status RowByRow::answer(const Step& step, Error error) {
  error.add("commit_lsn", to_string(step.change->id.commit));
  if (options_.is_mended(error)) return error;
  switch (options_.on_conflict) {
    case OnConflict::error:
      return error;
    case OnConflict::source_wins:
      return overwrite(step, std::move(error));
    case OnConflict::skip:
      ++counted_[step.run->schema->name].skipped;
      tell(step, error);
      return ok_status();
    case OnConflict::quarantine:
      tell(step, error);
      return keep(step, &error);
  }
  return error;
}

Status RowByRow::overwrite(const Step& step, Error error) {
  const Target& target = targets_.at(step.run->schema.get());
  const Error first = error;
  for (int index = 0; index < kUniqueIndexesMax; ++index) {
    FRESHET_TRY(const std::uint64_t removed,
                make_room(session_.connection(), target, *step.change, error));
    if (removed == 0) return error;
    Status tried = write_apart(session_, writer_, runs_of({&step, 1}), Effort::ordered);
    if (tried.ok()) {
      ++counted_[step.run->schema->name].source_won;
      tell(step, first);
      return tried;
    }
    if (!is_row_conflict(tried.error())) return tried;
    error = std::move(tried).error();
    error.add("commit_lsn", to_string(step.change->id.commit));
  }
  return error;
}

Status RowByRow::keep(const Step& step, const Error* reason) {
  const Target& target = targets_.at(step.run->schema.get());
  ++counted_[step.run->schema->name].quarantined;
  return quarantine_.add(session_.connection(), target, *step.change, reason);
}

// A line per row would fill the disk where a whole table is refused.
void RowByRow::tell(const Step& step, const Error& error) {
  const auto now = Clock::now();
  const auto [place, is_first] = told_.try_emplace(step.run->schema->name);
  Told& told = place->second;
  if (!is_first && now - told.at < kTellInterval) {
    ++told.unlogged;
    return;
  }
  log_warn("the destination refused a change", {{"destination", options_.destination},
                                                {"table", to_string(step.run->schema->name)},
                                                {"on_conflict", describe(options_.on_conflict)},
                                                {"commit_lsn", to_string(step.change->id.commit)},
                                                {"sqlstate", error.sqlstate()},
                                                {"constraint", error.find("constraint")},
                                                {"unlogged", told.unlogged}});
  told = {.at = now, .unlogged = 0};
}

void RowByRow::commit() {
  for (const auto& [table, counts] : counted_)
    committed_[table] += counts;
  counted_.clear();
}

std::vector<TableConflicts> RowByRow::take_conflicts() {
  std::vector<TableConflicts> taken;
  for (const auto& [table, counts] : std::exchange(committed_, {}))
    taken.push_back({table, counts});
  return taken;
}

}  // namespace freshet::postgres
