#include "destinations/postgres/index_builder.h"

#include <algorithm>
#include <functional>

#include <fmt/format.h>
#include <pthread.h>

#include "base/error_policy.h"
#include "base/log.h"
#include "base/sql_quote.h"
#include "base/try.h"
#include "destinations/postgres/concurrent_index.h"
#include "destinations/postgres/names.h"
#include "destinations/postgres/object_maker.h"
#include "destinations/postgres/object_records.h"
#include "destinations/postgres/progress.h"
#include "destinations/postgres/vector_type.h"
#include "freshet/config.h"
#include "pg/sqlstate.h"
#include "types/table_error.h"

namespace freshet::postgres {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPauseAfterGivingWay{500};
constexpr std::chrono::seconds kPauseAfterFailure{5};
constexpr std::chrono::milliseconds kPauseForLockMax{60'000};
constexpr int kFailuresMax = 10;
constexpr int kLockWaitsUntold = 4;  // some five seconds

/// Twice as long after each time that the lock was not to be had.
std::chrono::milliseconds pause_for_lock(int lock_waits) {
  std::chrono::milliseconds pause = kPauseAfterGivingWay;
  for (int waited = 1; waited < lock_waits && pause < kPauseForLockMax; ++waited)
    pause *= 2;
  return std::min(pause, kPauseForLockMax);
}

}  // namespace

IndexBuilder::IndexBuilder(std::string url, std::string pipeline)
    : url_(std::move(url)),
      pipeline_(std::move(pipeline)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {
  pthread_setname_np(thread_.native_handle(), "fr-index");
}

IndexBuilder::~IndexBuilder() {
  stop();
}

void IndexBuilder::add(Job job) {
  const std::lock_guard lock{mutex_};
  const auto is_same = [&](const Job& other) {
    return other.is_completion && other.table == job.table;
  };
  if (job.is_completion && std::any_of(jobs_.begin(), jobs_.end(), is_same)) return;
  jobs_.push_back(std::move(job));
  changed_.notify_all();
}

void IndexBuilder::give_way(std::span<const TableName> tables) {
  std::unique_lock lock{mutex_};
  const auto now = Clock::now();
  std::erase_if(yielded_, [&](const auto& entry) { return entry.second <= now; });
  for (const TableName& table : tables)
    yielded_[table] = now + kPauseAfterGivingWay;
  for (Job& job : jobs_) {
    if (is_yielded(job.table))
      job.not_before = std::max(job.not_before, now + kPauseAfterGivingWay);
  }
  if (is_yielded(running_table_) || is_yielded(running_other_)) break_off(lock);
}

// With mutex_ held.
bool IndexBuilder::is_yielded(const TableName& table) const {
  const auto found = yielded_.find(table);
  return found != yielded_.end() && found->second > Clock::now();
}

bool IndexBuilder::may_begin(const TableName& own, const TableName& other) {
  const std::lock_guard lock{mutex_};
  running_other_ = other;
  return !is_yielded(own) && !is_yielded(other);
}

void IndexBuilder::forget(const TableName& table) {
  std::unique_lock lock{mutex_};
  std::erase_if(jobs_, [&](const Job& job) { return job.table == table; });
  if (!running_ || running_table_ != table) return;
  is_forgotten_ = true;
  break_off(lock);
}

void IndexBuilder::break_off(std::unique_lock<std::mutex>& lock) {
  if (!running_) return;
  const std::shared_ptr<pg::Interrupter> broken_off = running_;
  broken_off->trigger();
  changed_.wait(lock, [&] { return running_ != broken_off; });
}

void IndexBuilder::stop() {
  {
    const std::lock_guard lock{mutex_};
    thread_.request_stop();
    jobs_.clear();
    is_forgotten_ = true;
    if (running_) running_->trigger();
  }
  if (thread_.joinable()) thread_.join();
}

void IndexBuilder::run(const std::stop_token& stop) {
  std::unique_lock lock{mutex_};
  // Kept from job to job: with thousands of tables, connecting is what takes time.
  std::unique_ptr<pg::Connection> connection;
  std::shared_ptr<pg::Interrupter> interrupter;
  while (!stop.stop_requested()) {
    const auto next = std::min_element(jobs_.begin(), jobs_.end(), [](const Job& a, const Job& b) {
      return a.not_before < b.not_before;
    });
    if (next == jobs_.end()) {
      connection.reset();
      changed_.wait(lock, stop, [this] { return !jobs_.empty(); });
      continue;
    }
    if (next->not_before > Clock::now()) {
      connection.reset();
      changed_.wait_until(lock, stop, next->not_before, [] { return false; });
      continue;
    }
    Job job = std::move(*next);
    jobs_.erase(next);
    if (!connection) interrupter = std::make_shared<pg::Interrupter>();
    running_ = interrupter;
    running_table_ = job.table;
    running_other_ = {};
    is_forgotten_ = false;
    lock.unlock();
    const Status built = build(job, interrupter, connection);
    lock.lock();
    running_.reset();
    if (!built.ok() || interrupter->is_triggered()) connection.reset();
    if (!built.ok() && !is_forgotten_) again_or_give_up(std::move(job), built.error());
    changed_.notify_all();
  }
}

Status IndexBuilder::build(const Job& job,
                           const std::shared_ptr<pg::Interrupter>& interrupter,
                           std::unique_ptr<pg::Connection>& connection) {
  if (!connection) {
    FRESHET_TRY(connection,
                pg::Connection::open({.url = url_,
                                      .application_name = application_name(pipeline_) + " index",
                                      .interrupter = interrupter}));
    FRESHET_TRY(connection->execute(
        "SELECT set_config('maintenance_work_mem', '256MB', false) "
        "WHERE pg_size_bytes(current_setting('maintenance_work_mem')) < 256 << 20"));
  }
  if (job.is_completion) return complete(*connection, job);
  FRESHET_TRY(connection->execute(fmt::format("ANALYZE {}", quote_identifier(job.table))));
  for (const Index& index : job.indexes) {
    FRESHET_TRY(build_index(*connection, job.table, index));
  }
  return ok_status();
}

Status IndexBuilder::complete(pg::Connection& connection, const Job& job) {
  ObjectMaker maker{
      connection,
      pipeline_,
      job.table,
      {.may_begin = [&](const TableName& other) { return may_begin(job.table, other); },
       .gives_up_on = job.failures + 1 >= kFailuresMax ? job.object : ""}};
  FRESHET_TRY(maker.run());
  // Foreign keys to it waited for its unique keys.
  FRESHET_TRY(const auto tables, find_referring_tables(connection, pipeline_, job.table));
  for (const TableName& table : tables)
    add({.table = table, .indexes = {}, .is_completion = true});
  return ok_status();
}

Status IndexBuilder::build_index(pg::Connection& connection,
                                 const TableName& table,
                                 const Index& index) {
  TableObject object = vector_index_of(table, index.column);
  FRESHET_TRY(const std::string here, find_here(connection, table, object));
  if (here == "here") return ok_status();
  if (here == "taken") {
    return name_is_taken()
        .with("index", object.name)
        .fix("rename that relation, or build the index under another name yourself");
  }
  FRESHET_TRY(const auto vectors, find_vector_schema(connection));
  if (!vectors) return Error{ErrorKind::setting, "pgvector is gone from the destination"};
  const auto start = Clock::now();
  log_info("building a vector index", {{"table", to_string(table)}, {"index", object.name}});
  object.definition =
      fmt::format("USING hnsw ({} {}.vector_cosine_ops) WITH (m = {}, ef_construction = {})",
                  quote_identifier(index.column), *vectors, index.m, index.ef_construction);
  FRESHET_TRY(build_concurrently(connection, table, object, here));
  const auto elapsed =
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count();
  log_info("vector index built",
           {{"table", to_string(table)}, {"index", object.name}, {"elapsed_ms", elapsed}});
  return ok_status();
}

// With mutex_ held.
void IndexBuilder::again_or_give_up(Job job, const Error& error) {
  const Error told = naming(error, job.table);
  const bool is_locked = error.sqlstate() == pg::sqlstate::kLockNotAvailable;
  const bool gave_way = error.kind() == ErrorKind::cancelled;
  if (!gave_way && error.find("object") != job.object) {
    job.object = error.find("object");
    job.failures = 0;
    job.lock_waits = 0;
  }
  std::chrono::milliseconds pause = kPauseAfterGivingWay;
  if (is_locked) {
    pause = pause_for_lock(++job.lock_waits);
    if (job.lock_waits == kLockWaitsUntold) {
      log_error(LogLevel::warn, "what belongs to a table waits for a lock at the destination",
                told);
    }
  } else if (!gave_way) {
    pause = kPauseAfterFailure;
    if (++job.failures >= kFailuresMax || retry_of(error) == Retry::never) {
      log_error(LogLevel::warn,
                job.is_completion
                    ? "what belongs to a table was not built; the next start tries again"
                    : "a vector index was not built; queries go without it",
                told);
      return;
    }
  }
  job.not_before = Clock::now() + pause;
  jobs_.push_back(std::move(job));
}

}  // namespace freshet::postgres
