// The initial copy: reads tables over several connections while the stream goes on, and starts a
// table again when its copy became void. Small tables, and those whose key does not allow better,
// are read together under one snapshot; the others in chunks.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/backoff.h"
#include "freshet/destination.h"
#include "pg/connection.h"
#include "pipeline/chunk_round.h"
#include "pipeline/failure.h"
#include "pipeline/lane.h"
#include "pipeline/table_plan.h"
#include "source/snapshot_copy.h"

namespace freshet {

class Copier {
 public:
  struct Options {
    pg::ConnectOptions connect;  ///< Its interrupter ends all copying.
    std::string system_identifier;
    std::uint32_t connections = 4;
    /// The snapshot exported by our slot's creation, imported and kept; null: take our own.
    std::unique_ptr<source::SnapshotCoordinator> slot_snapshot;
  };

  Copier(Options options,
         TablePlans& plans,
         std::span<const std::unique_ptr<Lane>> lanes,
         std::mutex& router_mutex,
         Failure& failure);
  ~Copier();

  /// Copies the tables that are `pending` in any lane's router. With a slot snapshot their routes
  /// are set to `copying` before this returns, so before anything is streamed.
  Status start();
  /// The reader connected anew: copies that the stream had not passed are void (design §4,
  /// settling).
  void void_unsettled(Position received);
  void stop();
  /// What it does, in one phrase; empty when nothing.
  std::string activity() const;

 private:
  using Clock = std::chrono::steady_clock;

  struct Job {
    TableName name;
    source::CopyTable table;
    ShapePtr shape;
    std::vector<Lane*> lanes;
    std::optional<SortKeyCodec> codec;  // of a table that is copied in chunks
    std::vector<source::CopyRange> ranges;
    std::size_t ranges_left = 0;
    Lsn read_upto = kNoLsn;
    bool is_void = false;  // rewritten under us: to be copied again
  };

  struct Task {
    Job* job = nullptr;
    const source::CopyRange* range = nullptr;
  };

  Status run();
  Status run_round(std::unique_ptr<source::SnapshotCoordinator> slot_snapshot);
  /// One round of the tables that are copied in chunks.
  Status run_chunk_round();
  Status begin_chunked(Job& job);
  Status pass_barrier(pg::Connection& connection);
  std::vector<Job> plan_jobs(TablePhase phase) const;
  std::vector<Job> plan_chunked_jobs() const;
  static std::vector<Job> jobs_of(std::map<TableName, std::vector<Lane*>> wanted);
  bool goes_in_chunks(const Lane& lane, const TableName& table) const;
  Status set_up(Job& job);
  Status prepare(std::span<Job> jobs);
  static std::vector<TableName> names_of(std::span<const Job> jobs);
  Status look_up(pg::Connection& catalog, std::span<const Job> jobs);
  Result<std::vector<bool>> are_unchanged(pg::Connection& catalog, std::span<const Job> jobs) const;
  Status void_changed(std::span<Job> jobs, source::SnapshotCoordinator& slot_snapshot);
  Result<std::unique_ptr<source::SnapshotCoordinator>> take_snapshot(std::vector<Job>& jobs);
  Result<std::unique_ptr<source::SnapshotCoordinator>> try_snapshot(std::vector<Job>& jobs,
                                                                    bool& has_begun);
  static Status halt(std::span<Lane* const> lanes, const std::function<Status()>& work);
  bool try_begin(std::vector<Job>& jobs, const Snapshot& snapshot);
  Status await_stream(pg::Connection& connection, std::span<const Job> jobs);
  Status await_written(std::span<const Job> jobs, Lsn wanted);
  Status leave_unclear(std::vector<Job>& jobs, Lsn replayed);
  Status copy(std::vector<Job>& jobs,
              std::unique_ptr<source::SnapshotCoordinator> snapshot,
              bool is_slots);
  void work(const source::SnapshotCoordinator& snapshot);
  void read_alone(const source::SnapshotCoordinator& snapshot);
  Status copy_task(pg::Connection& connection,
                   const Task& task,
                   const source::SnapshotCoordinator& snapshot);
  void finish_task(const Task& task, Lsn read_upto);
  void void_job(Job& job, const Error& reason);
  bool ends_copying(const TableName& table, const Error& error);
  std::chrono::milliseconds rest_time();
  bool put_back(const Task& task, const Error& error);
  std::optional<Task> next_task();
  Status finish_jobs(std::span<Job> jobs, bool is_slots);
  Result<pg::Connection*> catalog();
  void set_activity(std::string activity);
  Status pause(std::chrono::milliseconds time);

  Options options_;
  TablePlans& plans_;
  std::span<const std::unique_ptr<Lane>> lanes_;
  std::mutex& router_mutex_;
  Failure& failure_;
  std::unique_ptr<pg::Connection> catalog_;  // the copier's thread alone
  Backoff backoff_;                          // the same
  std::mt19937_64 random_{std::random_device{}()};
  std::thread thread_;
  std::atomic<bool> is_stopping_{false};

  mutable std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  std::vector<Task> tasks_;  // of the present round, taken from the back
  std::size_t readers_ = 0;  // tasks that have their lock and read
  Clock::time_point last_read_;
  std::set<TableName> voided_;            // since the round began
  std::map<TableName, unsigned> faults_;  // of the source's server, in a row
  bool is_cut_short_ = false;             // the round, by what may come again at once
  std::string activity_;
};

}  // namespace freshet
