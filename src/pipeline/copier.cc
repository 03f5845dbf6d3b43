#include "pipeline/copier.h"

#include <algorithm>
#include <utility>

#include <pthread.h>

#include "base/error_policy.h"
#include "base/log.h"
#include "base/try.h"
#include "pg/sqlstate.h"
#include "pipeline/copy_choice.h"
#include "pipeline/range_feed.h"
#include "source/barrier.h"
#include "source/filter_probe.h"
#include "source/slot.h"
#include "source/table_read.h"
#include "source/waiting.h"
#include "types/table_error.h"

namespace freshet {
namespace {

// A snapshot that misses a transaction which the stream already brought is taken again after so
// long.
constexpr std::chrono::milliseconds kSnapshotRetry{20};
constexpr std::chrono::milliseconds kStreamPoll{2};
// So much WAL is streamed in a moment.
constexpr std::uint64_t kBacklogMax = std::uint64_t{16} << 20;
constexpr std::chrono::milliseconds kRoundRetry{500};
constexpr std::chrono::milliseconds kIdleWait{200};
constexpr std::chrono::milliseconds kIdleWaitMax{10'000};
constexpr std::chrono::seconds kLockedMax{60};

// A new session looks the publications up again.
bool ends_session(const Error& error) {
  return source::is_stale_plan(error) ||
         (retry_of(error) == Retry::never && error.kind() != ErrorKind::cancelled);
}

// The publication's list and filter follow a column that is renamed. What was looked up of them has
// the names of that time, which may be others' by now.
bool keeps_published_names(const TablePlan& plan, const TableSchema& now) {
  if (plan.publication.columns.empty() && plan.publication.row_filter.empty()) return true;
  return std::none_of(now.columns.begin(), now.columns.end(), [&](const Column& column) {
    const Column* const then = source::find_number(plan.catalog.schema, column.attnum);
    return then != nullptr && then->name != column.name;
  });
}

// A snapshot of ours locks its tables at once: more would not fit into the server's lock table.
constexpr std::size_t kTablesPerSnapshotMax = 500;
constexpr std::size_t kTablesPreparedMax = 200;

}  // namespace

Copier::Copier(Options options,
               TablePlans& plans,
               std::span<const std::unique_ptr<Lane>> lanes,
               std::mutex& router_mutex,
               Failure& failure)
    : options_(std::move(options)),
      plans_(plans),
      lanes_(lanes),
      router_mutex_(router_mutex),
      failure_(failure),
      backoff_(kIdleWait, kIdleWaitMax) {}

Copier::~Copier() {
  stop();
}

Status Copier::start() {
  if (options_.slot_snapshot) {
    const std::lock_guard lock(router_mutex_);
    for (const auto& lane : lanes_) {
      for (const TableName& table : lane->router().tables_in(TablePhase::pending)) {
        if (!goes_in_chunks(*lane, table)) lane->router().begin_copy_of_slot(table);
      }
    }
  }
  thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), "copier");
    Status status = run();
    if (!status.ok() && !is_cancelled(status)) failure_.report(std::move(status).error());
  });
  return ok_status();
}

Status Copier::run() {
  if (options_.slot_snapshot) FRESHET_TRY(run_round(std::move(options_.slot_snapshot)));
  while (!is_stopping_) {
    Status status = run_round(nullptr);
    if (status.ok()) status = run_chunk_round();
    if (!status.ok()) {
      if (is_cancelled(status) || ends_session(status.error())) return status;
      log_error(LogLevel::warn, "copy interrupted, starting it again", status.error());
      catalog_.reset();
      FRESHET_TRY(pause(kRoundRetry));
    }
    FRESHET_TRY(pause(rest_time()));
  }
  return ok_status();
}

// What cut a round short need not be gone by now, and each round reads its tables from the start.
std::chrono::milliseconds Copier::rest_time() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(is_cut_short_, false)) return backoff_.next(random_());
  backoff_.reset();
  return kIdleWait;
}

Status Copier::run_round(std::unique_ptr<source::SnapshotCoordinator> slot_snapshot) {
  const bool is_slots = slot_snapshot != nullptr;
  {
    const std::lock_guard lock(mutex_);
    voided_.clear();
  }
  std::vector<Job> jobs = plan_jobs(is_slots ? TablePhase::copying : TablePhase::pending);
  if (!is_slots && jobs.size() > kTablesPerSnapshotMax) jobs.resize(kTablesPerSnapshotMax);
  if (jobs.empty()) return ok_status();
  if (is_slots) {
    FRESHET_TRY(prepare(jobs));
    FRESHET_TRY(void_changed(jobs, *slot_snapshot));
  } else {
    FRESHET_TRY(slot_snapshot, take_snapshot(jobs));
  }
  Status status = copy(jobs, std::move(slot_snapshot), is_slots);
  set_activity({});
  return status;
}

std::vector<Copier::Job> Copier::plan_jobs(TablePhase phase) const {
  std::map<TableName, std::vector<Lane*>> wanted;
  {
    const std::lock_guard lock(router_mutex_);
    for (const auto& lane : lanes_) {
      for (const TableName& table : lane->router().tables_in(phase)) {
        if (!goes_in_chunks(*lane, table)) wanted[table].push_back(lane.get());
      }
    }
  }
  return jobs_of(std::move(wanted));
}

std::vector<Copier::Job> Copier::plan_chunked_jobs() const {
  std::map<TableName, std::vector<Lane*>> wanted;
  const std::lock_guard lock(router_mutex_);
  for (const auto& lane : lanes_) {
    for (const TablePhase phase : {TablePhase::pending, TablePhase::copying}) {
      for (const TableName& table : lane->router().tables_in(phase)) {
        if (goes_in_chunks(*lane, table)) wanted[table].push_back(lane.get());
      }
    }
  }
  return jobs_of(std::move(wanted));
}

std::vector<Copier::Job> Copier::jobs_of(std::map<TableName, std::vector<Lane*>> wanted) {
  std::vector<Job> jobs;
  for (auto& [name, lanes] : wanted) {
    Job job;
    job.name = name;
    job.lanes = std::move(lanes);
    jobs.push_back(std::move(job));
  }
  return jobs;
}

// Under router_mutex_.
bool Copier::goes_in_chunks(const Lane& lane, const TableName& table) const {
  return plans_.at(table).is_copied_in_chunks && lane.router().may_copy_in_chunks(table);
}

Status Copier::run_chunk_round() {
  std::vector<Job> jobs = plan_chunked_jobs();
  if (jobs.empty()) return ok_status();
  ChunkRound round({.connect = options_.connect,
                    .system_identifier = options_.system_identifier,
                    .connections = options_.connections},
                   router_mutex_, failure_, is_stopping_);
  FRESHET_TRY(pg::Connection* const connection, catalog());
  FRESHET_TRY(look_up(*connection, jobs));
  for (Job& job : jobs)
    FRESHET_TRY(begin_chunked(job));
  std::erase_if(jobs, [](const Job& job) { return !job.codec; });
  if (jobs.empty()) return ok_status();
  FRESHET_TRY(pass_barrier(*connection));
  for (Job& job : jobs) {
    round.add({.name = job.name,
               .table = std::move(job.table),
               .planned = plans_.at(job.name).catalog.schema,
               .shape = job.shape,
               .lanes = std::move(job.lanes),
               .codec = *std::move(job.codec)});
  }
  set_activity("copying");
  Status status = round.run();
  set_activity({});
  return status;
}

// Goes on with the chunks that the destination has, or begins anew with an empty table. Leaves the
// job without a codec where the key, changed since, allows no chunks: the table is copied whole.
Status Copier::begin_chunked(Job& job) {
  FRESHET_TRY(set_up(job));
  job.codec = chunk_codec(*job.shape);
  // A table may have become partitioned: each partition that comes has a heap of its own.
  const bool has_one_heap = job.table.heaps.size() == 1 && plans_.at(job.name).catalog.kind != 'p';
  if (!job.codec || !has_one_heap) {
    job.codec.reset();
    plans_.at(job.name).is_copied_in_chunks = false;
    for (Lane* lane : job.lanes)
      FRESHET_TRY(lane->restart_copy(job.name));
    return ok_status();
  }
  const std::vector<std::string>& columns = job.codec->columns();
  const std::uint32_t heap = job.table.heaps.front().relfilenode;
  bool is_resumed = true;
  {
    const std::lock_guard lock(router_mutex_);
    for (Lane* lane : job.lanes) {
      const Router& router = lane->router();
      is_resumed = is_resumed && router.is_chunked(job.name) &&
                   router.chunk_heap(job.name) == heap && router.chunk_columns(job.name) == columns;
    }
  }
  for (Lane* lane : job.lanes) {
    if (!is_resumed) break;
    FRESHET_TRY(is_resumed, lane->has_shape(*job.shape));
  }
  if (is_resumed) return ok_status();
  for (Lane* lane : job.lanes) {
    FRESHET_TRY(lane->restart_copy(job.name));
    FRESHET_TRY(lane->prepare_copy({&job.shape, 1}));
  }
  const std::lock_guard lock(router_mutex_);
  for (Lane* lane : job.lanes)
    lane->router().begin_chunked_copy(job.name, columns, heap);
  return ok_status();
}

Result<pg::Connection*> Copier::catalog() {
  if (!catalog_) {
    FRESHET_TRY(catalog_, pg::Connection::open(options_.connect));
  }
  return catalog_.get();
}

// What is to be read, by the plan's catalogue entry.
Status Copier::set_up(Job& job) {
  const TablePlan& plan = plans_.at(job.name);
  FRESHET_TRY(job.shape, make_copy_shape(plan));
  job.table = source::CopyTable{
      .schema = job.shape->read, .where = copied_rows(plan), .heaps = plan.catalog.heaps};
  const auto estimate = static_cast<std::uint64_t>(std::max(0.0, plan.catalog.rows_estimated));
  for (Lane* lane : job.lanes)
    lane->set_estimate(job.name, estimate);
  return ok_status();
}

// The same, with empty tables at the destinations.
Status Copier::prepare(std::span<Job> jobs) {
  std::map<Lane*, std::vector<ShapePtr>> shapes;
  for (Job& job : jobs) {
    FRESHET_TRY(set_up(job));
    for (Lane* lane : job.lanes)
      shapes[lane].push_back(job.shape);
  }
  // In parts, so that a lane does other things in between.
  for (const auto& [lane, all] : shapes) {
    for (std::size_t start = 0; start < all.size(); start += kTablesPreparedMax) {
      FRESHET_TRY(lane->prepare_copy(
          std::span{all}.subspan(start).first(std::min(kTablesPreparedMax, all.size() - start))));
    }
  }
  return ok_status();
}

Status Copier::pass_barrier(pg::Connection& connection) {
  Position streamed;
  for (const auto& lane : lanes_)
    streamed = std::max(streamed, lane->written());
  auto passed = source::pass_barrier(connection, streamed.end,
                                     [this](std::span<const source::WaitedFor> waited_for) {
                                       set_activity("waiting for " + source::describe(waited_for));
                                     });
  return passed.ok() ? ok_status() : Status{std::move(passed).error()};
}

std::vector<TableName> Copier::names_of(std::span<const Job> jobs) {
  std::vector<TableName> names;
  for (const Job& job : jobs)
    names.push_back(job.name);
  return names;
}

// Makes the catalogue's entries of the plans new.
Status Copier::look_up(pg::Connection& connection, std::span<const Job> jobs) {
  FRESHET_TRY(auto tables, source::load_tables(connection, names_of(jobs)));
  for (source::CatalogTable& table : tables) {
    TablePlan& plan = plans_.at(table.schema.name);
    if (!keeps_published_names(plan, table.schema)) {
      return source::stale_plan(
          table.schema.name, "a column has another name than when the publication was looked up");
    }
    plan.catalog = std::move(table);
    const Status checked = source::check_conditions(connection, plan.config);
    if (!checked.ok()) return source::of_followed_table(checked.error());
  }
  return ok_status();
}

// For each job: columns that came between the look at the catalogue and the snapshot would be
// missing.
Result<std::vector<bool>> Copier::are_unchanged(pg::Connection& connection,
                                                std::span<const Job> jobs) const {
  // Not load_tables(): who locks a table may be waiting for the snapshot to go.
  FRESHET_TRY(const auto now, source::load_schemas(connection, names_of(jobs)));
  std::vector<bool> unchanged;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    unchanged.push_back(now[i].columns == plans_.at(jobs[i].name).catalog.schema.columns);
  }
  return unchanged;
}

// What is not as it was when the slot was made cannot be copied under the slot's snapshot.
Status Copier::void_changed(std::span<Job> jobs, source::SnapshotCoordinator& slot_snapshot) {
  FRESHET_TRY(pg::Connection* const connection, catalog());
  FRESHET_TRY(const std::vector<bool> unchanged, are_unchanged(*connection, jobs));
  std::vector<source::CopyTable> tables;
  for (const Job& job : jobs)
    tables.push_back(job.table);
  FRESHET_TRY(const std::vector<Status> heaps, slot_snapshot.check_heaps(tables));
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (!unchanged[i])
      void_job(jobs[i], Error{ErrorKind::schema, "the table changed before its copy began"});
    if (heaps[i].ok()) continue;
    if (!source::is_rewritten(heaps[i].error())) return heaps[i];
    void_job(jobs[i], heaps[i].error());
  }
  return ok_status();
}

// Barrier, locks, snapshot; and again until the snapshot sees all that the stream has brought.
Result<std::unique_ptr<source::SnapshotCoordinator>> Copier::take_snapshot(std::vector<Job>& jobs) {
  FRESHET_TRY(pg::Connection* const connection, catalog());
  bool is_prepared = false;
  while (true) {
    if (!is_prepared) {
      FRESHET_TRY(pass_barrier(*connection));
      FRESHET_TRY(look_up(*connection, jobs));
      FRESHET_TRY(prepare(jobs));
      is_prepared = true;
    }
    FRESHET_TRY(await_stream(*connection, jobs));
    bool has_begun = false;
    auto snapshot = try_snapshot(jobs, has_begun);
    if (snapshot.ok() && *snapshot) {
      const std::optional<Lsn>& replayed = (*snapshot)->replayed();
      if (replayed) FRESHET_TRY(leave_unclear(jobs, *replayed));
      return snapshot;
    }
    if (has_begun) {
      // What streamed since then waited for a copy that does not come: a later snapshot must see
      // it.
      for (const Job& job : jobs) {
        for (Lane* lane : job.lanes)
          FRESHET_TRY(lane->restart_copy(job.name));
      }
      is_prepared = false;
    }
    if (!snapshot.ok() && !source::is_rewritten(snapshot.error())) return snapshot;
    FRESHET_TRY(pause(kSnapshotRetry));
  }
}

// Null if the snapshot cannot be used. `has_begun` is set once the tables are being copied under
// it, also where something fails, or columns turn out to have changed, afterwards.
Result<std::unique_ptr<source::SnapshotCoordinator>> Copier::try_snapshot(std::vector<Job>& jobs,
                                                                          bool& has_begun) {
  FRESHET_TRY(pg::Connection* const connection, catalog());
  std::vector<source::CopyTable> tables;
  for (const Job& job : jobs)
    tables.push_back(job.table);
  std::set<Lane*> lanes;
  for (const Job& job : jobs)
    lanes.insert(job.lanes.begin(), job.lanes.end());
  const std::vector<Lane*> halted(lanes.begin(), lanes.end());
  const auto gate = [&](const Snapshot& taken) {
    has_begun = try_begin(jobs, taken);
    return has_begun;
  };
  FRESHET_TRY(auto snapshot,
              source::SnapshotCoordinator::take(
                  options_.connect, options_.system_identifier, tables, gate,
                  [&](const std::function<Status()>& work) { return halt(halted, work); }));
  if (!snapshot) return snapshot;
  for (std::size_t i = 0; i < jobs.size(); ++i)
    jobs[i].table = std::move(tables[i]);
  FRESHET_TRY(const std::vector<bool> unchanged, are_unchanged(*connection, jobs));
  const bool is_unchanged =
      std::all_of(unchanged.begin(), unchanged.end(), [](bool is) { return is; });
  if (!is_unchanged) snapshot.reset();
  return snapshot;
}

// On the last lane's thread, while the others wait for it.
Status Copier::halt(std::span<Lane* const> lanes, const std::function<Status()>& work) {
  if (lanes.empty()) return work();
  return lanes.front()->halt([&] { return halt(lanes.subspan(1), work); });
}

// The check and the step from pending to copying are one: no transaction is judged in between.
bool Copier::try_begin(std::vector<Job>& jobs, const Snapshot& snapshot) {
  const std::lock_guard lock(router_mutex_);
  for (const Job& job : jobs) {
    for (Lane* lane : job.lanes) {
      if (!lane->router().may_begin_copy(job.name, snapshot)) return false;
    }
  }
  for (const Job& job : jobs) {
    for (Lane* lane : job.lanes)
      lane->router().begin_copy(job.name, snapshot);
  }
  return true;
}

// What a lane has yet to write would be waited for with the snapshot open (leave_unclear), which
// holds up the standby's replay, or is cut off by it.
Status Copier::await_stream(pg::Connection& connection, std::span<const Job> jobs) {
  FRESHET_TRY(const bool is_standby, source::is_in_recovery(connection));
  if (!is_standby) return ok_status();
  FRESHET_TRY(const Lsn replayed, source::load_insert_lsn(connection));
  const Lsn wanted{to_integer(replayed) - std::min(to_integer(replayed), kBacklogMax)};
  set_activity("waiting for the stream to come to " + to_string(wanted));
  return await_written(jobs, wanted);
}

Status Copier::await_written(std::span<const Job> jobs, Lsn wanted) {
  const auto is_there = [&](const Job& job) {
    return std::all_of(job.lanes.begin(), job.lanes.end(),
                       [&](const Lane* lane) { return has_passed(lane->written(), wanted); });
  };
  while (!std::all_of(jobs.begin(), jobs.end(), is_there))
    FRESHET_TRY(pause(kStreamPoll));
  return ok_status();
}

// Once the stream has passed all that a standby replayed while the snapshot was taken, it is known
// which tables that concerned: they are pending again, and wait for the next snapshot.
Status Copier::leave_unclear(std::vector<Job>& jobs, Lsn replayed) {
  set_activity("waiting for the stream to come to " + to_string(replayed));
  FRESHET_TRY(await_written(jobs, replayed));
  const auto first_unclear = std::stable_partition(jobs.begin(), jobs.end(), [&](const Job& job) {
    const std::lock_guard lock(router_mutex_);
    return std::all_of(job.lanes.begin(), job.lanes.end(), [&](const Lane* lane) {
      return lane->router().phase(job.name) == TablePhase::copying;
    });
  });
  for (auto job = first_unclear; job != jobs.end(); ++job) {
    log_debug("the snapshot is taken again: the table was changed just then",
              {{"table", to_string(job->name)}});
    for (Lane* lane : job->lanes)
      FRESHET_TRY(lane->restart_copy(job->name));
  }
  jobs.erase(first_unclear, jobs.end());
  return ok_status();
}

Status Copier::copy(std::vector<Job>& jobs,
                    std::unique_ptr<source::SnapshotCoordinator> snapshot,
                    bool is_slots) {
  set_activity("copying");
  {
    const std::lock_guard lock(mutex_);
    tasks_.clear();
    readers_ = 0;
    last_read_ = Clock::now();
    for (Job& job : jobs) {
      job.ranges = source::plan_ranges(job.table.heaps, {.connections = options_.connections});
      job.ranges_left = job.ranges.size();
      for (const source::CopyRange& range : job.ranges)
        tasks_.push_back({&job, &range});
    }
    // Taken from the back: the largest ranges go first, so that all connections end together.
    const auto pages = [](const Task& task) {
      return task.range->end_page.value_or(
                 std::max(task.range->heap.pages, task.range->first_page)) -
             task.range->first_page;
    };
    std::sort(tasks_.begin(), tasks_.end(),
              [&](const Task& a, const Task& b) { return pages(a) < pages(b); });
  }
  if (snapshot->reader() != nullptr) {
    read_alone(*snapshot);
  } else {
    const std::size_t threads = std::min<std::size_t>(options_.connections, tasks_.size());
    std::vector<std::jthread> workers;
    for (std::size_t i = 0; i < threads; ++i)
      workers.emplace_back([&] { work(*snapshot); });
  }
  if (is_stopping_) return Error{ErrorKind::cancelled, "the copy was stopped"};
  const bool is_standbys = snapshot->replayed().has_value();
  // Now: a lane that is waited for may itself wait for a table that somebody alters, and he for the
  // snapshot to go (CREATE INDEX CONCURRENTLY).
  snapshot.reset();
  FRESHET_TRY(finish_jobs(jobs, is_slots));
  if (is_slots || is_standbys) return ok_status();
  // What was read settles once its WAL was flushed and streamed: have the server flush it soon.
  FRESHET_TRY(pg::Connection* const connection, catalog());
  FRESHET_TRY(connection->execute("SELECT pg_catalog.pg_current_xact_id()"));
  return ok_status();
}

// All tables of a lane together: with thousands of them, a commit for each would take longer than
// reading them.
Status Copier::finish_jobs(std::span<Job> jobs, bool is_slots) {
  std::map<Lane*, std::vector<FinishedCopy>> finished;
  for (const Job& job : jobs) {
    bool is_void = job.is_void || job.ranges_left != 0;
    {
      const std::lock_guard lock(mutex_);
      is_void = is_void || voided_.contains(job.name);
    }
    log_info(is_void ? "copying the table again" : "table copied",
             {{"table", to_string(job.name)}});
    for (Lane* lane : job.lanes) {
      if (is_void) {
        FRESHET_TRY(lane->restart_copy(job.name));
      } else {
        // The slot's own snapshot holds nothing that the stream brings, so that nothing has to
        // settle.
        finished[lane].push_back({job.name, is_slots ? kNoLsn : job.read_upto});
      }
    }
    if (is_void) continue;
    const std::lock_guard lock(mutex_);
    faults_.erase(job.name);
  }
  for (const auto& [lane, tables] : finished)
    FRESHET_TRY(lane->finish_copy(tables));
  return ok_status();
}

void Copier::work(const source::SnapshotCoordinator& snapshot) {
  ::pthread_setname_np(::pthread_self(), "copy worker");
  std::unique_ptr<pg::Connection> connection;
  while (const std::optional<Task> task = next_task()) {
    Status status = ok_status();
    if (!connection) {
      auto opened = pg::Connection::open(options_.connect);
      if (opened.ok())
        connection = std::move(opened).value();
      else
        status = std::move(opened).error();
    }
    if (status.ok()) status = copy_task(*connection, *task, snapshot);
    if (status.ok()) continue;
    void_job(*task->job, status.error());
    if (source::is_changed_table(status.error())) continue;
    connection.reset();
    if (ends_copying(task->job->name, status.error())) return;
  }
}

// On a standby. A connection that is lost takes the snapshot with it: what is left is void as well.
void Copier::read_alone(const source::SnapshotCoordinator& snapshot) {
  while (const std::optional<Task> task = next_task()) {
    const Status status = copy_task(*snapshot.reader(), *task, snapshot);
    if (status.ok()) continue;
    void_job(*task->job, status.error());
    if (source::is_changed_table(status.error())) continue;
    (void)ends_copying(task->job->name, status.error());
    return;
  }
}

std::optional<Copier::Task> Copier::next_task() {
  const std::lock_guard lock(mutex_);
  while (!tasks_.empty() && !is_stopping_) {
    const Task task = tasks_.back();
    tasks_.pop_back();
    if (!task.job->is_void && !voided_.contains(task.job->name)) return task;
  }
  return {};
}

Status Copier::copy_task(pg::Connection& connection,
                         const Task& task,
                         const source::SnapshotCoordinator& snapshot) {
  const RangeId id{.table = task.job->name, .index = task.range->index, .count = task.range->count};
  auto opened = RangeFeed::open(task.job->shape, id, task.job->lanes);
  if (!opened.ok()) {
    failure_.report(opened.error());
    return std::move(opened).error();
  }
  RangeFeed& feed = **opened;
  bool is_reading = false;
  auto result = source::copy_range(connection,
                                   {.table = &task.job->table,
                                    .range = task.range,
                                    .snapshot_name = snapshot.snapshot_name(),
                                    .system_identifier = options_.system_identifier,
                                    .replayed = snapshot.replayed(),
                                    .on_locked =
                                        [&] {
                                          const std::lock_guard lock(mutex_);
                                          ++readers_;
                                          is_reading = true;
                                        }},
                                   [&](std::string_view lines) { return feed.take(lines); });
  if (is_reading) {
    const std::lock_guard lock(mutex_);
    --readers_;
    if (result.ok()) last_read_ = Clock::now();
  }
  Status status = ok_status();
  if (!result.ok()) status = result.error();
  if (!status.ok() && !feed.has_failed() && put_back(task, status.error())) return ok_status();
  if (status.ok()) status = feed.finish();
  if (feed.has_failed() && !is_stopping_) failure_.report(status.error());
  FRESHET_TRY(std::move(status));
  finish_task(task, result->read_upto);
  return ok_status();
}

void Copier::finish_task(const Task& task, Lsn read_upto) {
  const std::lock_guard lock(mutex_);
  task.job->read_upto = std::max(task.job->read_upto, read_upto);
  --task.job->ranges_left;
}

// A table that somebody locks is tried again, and so for as long as others are read: he may be
// waiting for them. But not for ever: he may as well be waiting for the snapshot.
bool Copier::put_back(const Task& task, const Error& error) {
  if (error.sqlstate() != pg::sqlstate::kLockNotAvailable) return false;
  const std::lock_guard lock(mutex_);
  if (readers_ == 0 && Clock::now() - last_read_ > kLockedMax) return false;
  tasks_.insert(tasks_.begin(), task);
  return true;
}

void Copier::void_job(Job& job, const Error& reason) {
  const std::lock_guard lock(mutex_);
  if (!job.is_void && !is_stopping_)
    log_error(LogLevel::warn, "the copy of a table became void", reason);
  if (!job.is_void && source::is_server_fault(reason)) ++faults_[job.name];
  is_cut_short_ = is_cut_short_ || !source::is_changed_table(reason);
  job.is_void = true;
}

// Reports what no other attempt would mend.
bool Copier::ends_copying(const TableName& table, const Error& error) {
  bool is_damaged = false;
  {
    const std::lock_guard lock(mutex_);
    is_damaged = source::is_server_fault(error) && faults_[table] >= source::kFaultsMax;
  }
  const Error told = is_damaged ? source::damaged(error) : error;
  if (!ends_session(told)) return false;
  failure_.report(naming(told, table));
  return true;
}

void Copier::void_unsettled(Position received) {
  std::vector<TableName> tables;
  {
    const std::lock_guard lock(router_mutex_);
    for (const auto& lane : lanes_) {
      for (const TablePhase phase : {TablePhase::copying, TablePhase::catching_up}) {
        for (TableName& table : lane->router().tables_in(phase)) {
          if (!lane->router().is_unsettled(table, received)) continue;
          // At once, so that the lane applies nothing of what it held; its spool goes in prepare.
          lane->router().restart_copy(table);
          tables.push_back(std::move(table));
        }
      }
    }
  }
  const std::lock_guard lock(mutex_);
  for (TableName& table : tables)
    voided_.insert(std::move(table));
}

Status Copier::pause(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, time, [&] { return is_stopping_.load(); });
  if (is_stopping_) return Error{ErrorKind::cancelled, "the copy was stopped"};
  return ok_status();
}

void Copier::set_activity(std::string activity) {
  const std::lock_guard lock(mutex_);
  activity_ = std::move(activity);
}

std::string Copier::activity() const {
  const std::lock_guard lock(mutex_);
  return activity_;
}

void Copier::stop() {
  is_stopping_ = true;
  changed_.notify_all();
  if (options_.connect.interrupter) options_.connect.interrupter->trigger();
  if (thread_.joinable()) thread_.join();
}

}  // namespace freshet
