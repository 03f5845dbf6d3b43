#include "destinations/postgres/quarantine_replay.h"

#include <array>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "base/try.h"
#include "destinations/postgres/definition_record.h"
#include "destinations/postgres/names.h"
#include "destinations/postgres/replay_chains.h"
#include "destinations/postgres/session.h"
#include "destinations/postgres/sql.h"
#include "destinations/postgres/stored_change.h"
#include "destinations/postgres/writer.h"
#include "pg/array_literal.h"

namespace freshet::postgres {
namespace {

using Text = std::optional<std::string_view>;

// Of one transaction, while the pipeline's commits wait.
constexpr std::size_t kEntriesMax = 500;

class Replay {
 public:
  Replay(std::unique_ptr<pg::Connection> connection, const std::string& pipeline)
      : session_(std::move(connection)), writer_(session_, targets_), pipeline_(pipeline) {}

  Result<ReplayOutcome> run(const QuarantineFilter& filter);

 private:
  pg::Connection& connection() { return session_.connection(); }

  Result<std::vector<ReplayChain>> load_chains(const QuarantineFilter& filter);
  Status replay_once(std::span<const ReplayChain> chains);
  Status replay_locked(std::span<const ReplayChain> chains, std::span<const std::uint64_t> ids);
  Status replay_chain(const StoredChanges& chain);
  Status load_targets(const StoredChanges& chain);
  Status attempt(std::span<const StoredChanges::Place> places, Effort effort);
  void fail(const StoredChanges::Place& place, const Error& error);
  void refuse(const QuarantineEntry& outdated);
  Status remove_applied();
  Status notify();

  Session session_;
  TargetCache targets_;
  GroupWriter writer_;
  const std::string pipeline_;
  StoredSchemas schemas_;
  std::vector<std::uint64_t> applied_;  // in the open transaction
  std::set<std::string> touched_;       // the same
  std::vector<ReplayFailure> failures_;
};

Result<ReplayOutcome> Replay::run(const QuarantineFilter& filter) {
  FRESHET_TRY(prepare_session(connection(), pipeline_, {}));
  // Whoever asked for it is told that it is done.
  FRESHET_TRY(connection().execute("SET synchronous_commit = on"));
  FRESHET_TRY(auto definitions, load_definitions(connection(), pipeline_));
  schemas_ = StoredSchemas{std::move(definitions)};
  ReplayOutcome outcome;
  while (true) {
    failures_.clear();
    FRESHET_TRY(const std::vector<ReplayChain> chains, load_chains(filter));
    const std::uint64_t before = outcome.applied;
    std::size_t start = 0;
    std::size_t entries = 0;
    outcome.left = 0;
    for (std::size_t i = 0; i < chains.size(); ++i) {
      entries += chains[i].size();
      if (i + 1 < chains.size() && entries < kEntriesMax) continue;
      FRESHET_TRY(replay_once(std::span{chains}.subspan(start, i + 1 - start)));
      outcome.applied += applied_.size();
      outcome.left += entries - applied_.size();
      start = i + 1;
      entries = 0;
    }
    // What failed may have waited for what was applied after it.
    if (outcome.left == 0 || outcome.applied == before) break;
  }
  outcome.failures = std::move(failures_);
  return outcome;
}

Result<std::vector<ReplayChain>> Replay::load_chains(const QuarantineFilter& filter) {
  const Text schema = filter.table ? Text{filter.table->schema} : Text{};
  const Text table = filter.table ? Text{filter.table->table} : Text{};
  FRESHET_TRY(const pg::Rows rows,
              connection().query(sql::kSqlHeldKeys, std::array{Text{pipeline_}, schema, table}));
  std::map<std::uint64_t, QueuedChange> queue;
  for (int row = 0; row < rows.rows(); ++row) {
    QueuedChange& change = queue[rows.unsigned_integer(row, 0)];
    change.id = rows.unsigned_integer(row, 0);
    change.table = {rows.string(row, 1), rows.string(row, 2)};
    if (!rows.is_null(row, 3)) change.keys.push_back(rows.string(row, 3));
  }
  std::vector<QueuedChange> ordered;
  for (auto& [id, change] : queue)
    ordered.push_back(std::move(change));
  std::vector<ReplayChain> chains = make_chains(ordered);
  if (!filter.id) return chains;
  for (const ReplayChain& chain : chains) {
    if (chain.front() == *filter.id) return std::vector<ReplayChain>{{*filter.id}};
    for (const std::uint64_t id : chain) {
      if (id != *filter.id) continue;
      return Error{ErrorKind::config, "the entry waits for an earlier one of its key"}
          .with("id", std::to_string(id))
          .with("first", std::to_string(chain.front()))
          .fix("replay or drop that one first");
    }
  }
  return std::vector<ReplayChain>{};
}

Status Replay::replay_once(std::span<const ReplayChain> chains) {
  applied_.clear();
  std::vector<std::uint64_t> ids;
  for (const ReplayChain& chain : chains)
    ids.insert(ids.end(), chain.begin(), chain.end());
  FRESHET_TRY(connection().execute("BEGIN"));
  Status replayed = replay_locked(chains, ids);
  if (replayed.ok()) return connection().execute("COMMIT");
  applied_.clear();
  touched_.clear();
  if (!breaks_session(replayed.error())) (void)session_.roll_back();
  return replayed;
}

// The pipeline's row first, then entries, then tables: the order in which all others lock them.
Status Replay::replay_locked(std::span<const ReplayChain> chains,
                             std::span<const std::uint64_t> ids) {
  FRESHET_TRY(lock_pipeline(connection(), pipeline_));
  FRESHET_TRY(const std::vector<QuarantineEntry> entries,
              lock_entries(connection(), pipeline_, ids));
  std::map<std::uint64_t, const QuarantineEntry*> by_id;
  for (const QuarantineEntry& entry : entries)
    by_id[entry.id] = &entry;
  for (const ReplayChain& chain : chains) {
    StoredChanges changes(schemas_);
    const QuarantineEntry* outdated = nullptr;
    for (const std::uint64_t id : chain) {
      const auto found = by_id.find(id);
      if (found == by_id.end()) continue;
      if (found->second->addressing == kOutdated) {
        outdated = found->second;
        break;
      }
      FRESHET_TRY(changes.add(*found->second));
    }
    if (outdated != nullptr) {
      refuse(*outdated);
      continue;
    }
    if (!changes.places().empty()) FRESHET_TRY(replay_chain(changes));
  }
  FRESHET_TRY(notify());
  return remove_applied();
}

// At once, so that nothing in between needs to fit; else one by one, up to the first that fails.
Status Replay::replay_chain(const StoredChanges& chain) {
  const auto places = chain.places();
  if (Status loaded = load_targets(chain); !loaded.ok()) {
    if (breaks_session(loaded.error())) return loaded;
    fail(places.front(), loaded.error());
    return ok_status();
  }
  Status whole = attempt(places, Effort::as_sets);
  if (whole.ok()) return ok_status();
  if (!is_row_conflict(whole.error())) return whole;
  for (const StoredChanges::Place& place : places) {
    Status tried = attempt({&place, 1}, Effort::ordered);
    if (tried.ok()) continue;
    if (!is_row_conflict(tried.error())) return tried;
    fail(place, tried.error());
    break;
  }
  return ok_status();
}

Status Replay::load_targets(const StoredChanges& chain) {
  for (const StoredChanges::Place& place : chain.places()) {
    auto loaded = targets_.get(connection(), place.schema);
    if (!loaded.ok()) return std::move(loaded).error();
  }
  return ok_status();
}

Status Replay::attempt(std::span<const StoredChanges::Place> places, Effort effort) {
  std::vector<Run> runs;
  for (const StoredChanges::Place& place : places)
    runs.push_back({.schema = place.schema, .changes = {&place.change, 1}, .truncated = {}});
  FRESHET_TRY(write_apart(session_, writer_, runs, effort));
  for (const StoredChanges::Place& place : places) {
    applied_.push_back(place.id);
    touched_.insert(to_string(place.schema->name));
  }
  return ok_status();
}

void Replay::fail(const StoredChanges::Place& place, const Error& error) {
  failures_.push_back({.id = place.id,
                       .table = place.schema->name,
                       .sqlstate = error.sqlstate(),
                       .constraint = std::string{error.find("constraint")},
                       .message = error.message()});
}

// Its names may be those of other columns by now. Nor is what is tied to it applied without it.
void Replay::refuse(const QuarantineEntry& outdated) {
  failures_.push_back({.id = outdated.id,
                       .table = outdated.table,
                       .sqlstate = {},
                       .constraint = {},
                       .message =
                           "columns that it names were renamed, dropped or made again since: "
                           "drop it, or have the table copied again (freshet table resync)"});
}

Status Replay::notify() {
  if (touched_.empty()) return ok_status();
  const std::string channel = notify_channel(pipeline_);
  pg::ArrayLiteral tables;
  for (const std::string& table : std::exchange(touched_, {}))
    tables.add(table);
  const std::string list = tables.text();
  auto told = connection().query(sql::kSqlNotifyReplayed,
                                 std::array{Text{pipeline_}, Text{channel}, Text{list}});
  return told.ok() ? ok_status() : Status{std::move(told).error()};
}

Status Replay::remove_applied() {
  if (applied_.empty()) return ok_status();
  const std::string list = pg::integer_array_literal(applied_, [](std::uint64_t id) { return id; });
  auto removed = connection().query(
      "DELETE FROM freshet.quarantine WHERE pipeline = $1 AND id = ANY ($2::bigint[])",
      std::array{Text{pipeline_}, Text{list}});
  return removed.ok() ? ok_status() : Status{std::move(removed).error()};
}

}  // namespace

Result<ReplayOutcome> replay_quarantine(std::unique_ptr<pg::Connection> connection,
                                        const std::string& pipeline,
                                        const QuarantineFilter& filter) {
  return Replay(std::move(connection), pipeline).run(filter);
}

}  // namespace freshet::postgres
