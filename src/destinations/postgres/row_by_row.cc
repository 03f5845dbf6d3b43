#include "destinations/postgres/row_by_row.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/log.h"
#include "base/try.h"
#include "destinations/postgres/make_room.h"

namespace freshet::postgres {
namespace {

// What is applied under one savepoint, about: large enough to be fast, small enough to be done
// again in halves until the one that fails stands alone.
constexpr std::size_t kSliceChanges = 256;
constexpr std::chrono::minutes kTellInterval{1};
// That one row may conflict with, one after the other.
constexpr int kUniqueIndexesMax = 32;

std::string_view describe(OnConflict answer) {
  switch (answer) {
    case OnConflict::error:
      return "error";
    case OnConflict::source_wins:
      return "source_wins";
    case OnConflict::newest_wins:
      return "newest_wins";
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
  std::set<TableName> refreshed;
  for (const Run& run : runs) {
    if (!run.truncated.empty()) steps_.push_back({&run, nullptr});
    for (const Change& change : run.changes)
      steps_.push_back({&run, &change});
    if (run.schema && refreshed.insert(run.schema->name).second)
      FRESHET_TRY(quarantine_.refresh(session_.connection(), run.schema->name));
  }
  for (std::span<const Step> steps{steps_}; !steps.empty();) {
    std::size_t count = std::min(kSliceChanges, steps.size());
    while (count < steps.size() && is_one_transaction(steps[count - 1], steps[count]))
      ++count;
    FRESHET_TRY(write_steps(steps.first(count)));
    steps = steps.subspan(count);
  }
  return ok_status();
}

bool RowByRow::is_one_transaction(const Step& a, const Step& b) {
  return a.change != nullptr && b.change != nullptr && a.change->id.commit == b.change->id.commit;
}

// One statement may exchange keys, which fits only if its changes are applied together: between
// transactions if there are several, else where another table's changes begin, else anywhere.
std::size_t RowByRow::middle_of(std::span<const Step> steps) {
  const std::size_t half = steps.size() / 2;
  const auto nearest = [&](auto is_boundary) {
    for (std::size_t distance = 0; distance < half; ++distance) {
      for (const std::size_t at : {half - distance, half + distance}) {
        if (at < steps.size() && is_boundary(steps[at - 1], steps[at])) return at;
      }
    }
    return std::size_t{0};
  };
  const std::size_t transactions =
      nearest([](const Step& a, const Step& b) { return !is_one_transaction(a, b); });
  if (transactions > 0) return transactions;
  const std::size_t tables =
      nearest([](const Step& a, const Step& b) { return a.run->schema != b.run->schema; });
  return tables > 0 ? tables : half;
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

// One that fails may hold the key of one that follows: both parts are looked at anew.
Status RowByRow::write_free(std::span<const Step> steps) {
  Status tried = write_apart(session_, writer_, runs_of(steps), Effort::ordered);
  if (tried.ok() || !is_row_conflict(tried.error())) return tried;
  if (steps.size() == 1) return answer(steps.front(), std::move(tried).error());
  const std::size_t middle = middle_of(steps);
  FRESHET_TRY(write_steps(steps.first(middle)));
  return write_steps(steps.subspan(middle));
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
    case OnConflict::newest_wins:
      return overwrite(step, std::move(error));
    case OnConflict::skip:
      return leave_out(step, error);
    case OnConflict::quarantine:
      tell(step, error);
      return keep(step, &error);
  }
  return error;
}

Status RowByRow::leave_out(const Step& step, const Error& error) {
  ++counted_[step.run->schema->name].skipped;
  tell(step, error);
  return ok_status();
}

// A change that meets a newer row at last leaves the older ones where they were.
Status RowByRow::overwrite(const Step& step, Error error) {
  pg::Connection& connection = session_.connection();
  const Target& target = targets_.at(step.run->schema.get());
  const Error first = error;
  FRESHET_TRY(connection.execute("SAVEPOINT freshet_room"));
  for (int index = 0; index < kUniqueIndexesMax; ++index) {
    FRESHET_TRY(const Room room,
                make_room(connection, target, *step.change, error, options_.newest_by));
    if (room == Room::none) return error;
    if (room == Room::taken) {
      FRESHET_TRY(
          connection.execute("ROLLBACK TO SAVEPOINT freshet_room; RELEASE SAVEPOINT freshet_room"));
      return leave_out(step, first);
    }
    Status tried = write_apart(session_, writer_, runs_of({&step, 1}), Effort::ordered);
    if (tried.ok()) {
      ++counted_[step.run->schema->name].source_won;
      tell(step, first);
      return connection.execute("RELEASE SAVEPOINT freshet_room");
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
