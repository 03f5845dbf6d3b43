// Copies tables in chunks (design.md §4): ranges of the primary key, read by several connections,
// each range in a short transaction of its own, while the stream goes on.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "pipeline/failure.h"
#include "pipeline/lane.h"
#include "pipeline/table_plan.h"
#include "source/snapshot_copy.h"
#include "types/sort_key.h"

namespace freshet {

/// One table of a round. Its routes are `copying` in chunks in all `lanes`.
struct ChunkTable {
  TableName name;
  source::CopyTable table;  ///< With one heap.
  TableSchema planned;      ///< All of it, as the copy was planned by.
  ShapePtr shape;
  std::vector<Lane*> lanes;
  SortKeyCodec codec;
};

class ChunkRound {
 public:
  struct Options {
    pg::ConnectOptions connect;  ///< Its interrupter ends all reading.
    std::string system_identifier;
    std::uint32_t connections = 4;
  };

  /// All references outlive the round. `is_stopping` is looked at every 200 ms.
  ChunkRound(Options options,
             std::mutex& router_mutex,
             Failure& failure,
             const std::atomic<bool>& is_stopping);

  /// Takes up what of the table is unread. Before run().
  void add(ChunkTable table);
  /// Returns once every table is whole at its destinations or begins again. Ends with `cancelled`
  /// when stopped; other errors are reported as failures of the session first.
  Status run();

 private:
  using Clock = std::chrono::steady_clock;

  struct Work {
    ChunkTable of;
    std::deque<KeyBounds> unread;
    std::uint64_t chunk_rows = 0;
    std::size_t tasks_out = 0;
    bool is_being_cut = false;  // somebody looks for the end of the next chunk
    bool is_void = false;       // its copy begins again
    bool is_concluded = false;
    /// Of the source's server, in a row, by where the chunk begins.
    std::map<std::vector<std::string>, unsigned> faults;
  };

  struct Task {
    Work* work = nullptr;
    KeyBounds bounds;
    std::uint64_t rows = 0;  // 0: all that is left of its gap, and nobody counted it
  };

  struct Attempt;

  void work_off();
  std::optional<Task> next_task(std::unique_ptr<pg::Connection>& connection);
  Work* take_gap(KeyBounds& gap, std::uint64_t& rows);
  Work* pick();
  Status cut(std::unique_ptr<pg::Connection>& connection, Task& task);
  Status copy(pg::Connection& connection, const Task& task);
  bool begin(const Task& task, const Snapshot& snapshot, Attempt& attempt);
  Status feed(pg::Connection& connection, const Task& task, Attempt& attempt);
  Status record(const Task& task, const Attempt& attempt);
  void give_back(const Task& task);
  void finish(const Task& task, Clock::duration elapsed);
  void conclude_if_read(Work& work);
  bool is_void(const Work& work);
  void make_void(Work& work, const Error& reason);
  /// False if the worker must end.
  bool survives(const Error& error, const Task& task, std::unique_ptr<pg::Connection>& connection);
  bool is_damage(const Error& error, const Task& task);
  Status conclude(Work& work);
  KeyRange range_of(const Work& work, const KeyBounds& bounds) const;

  const Options options_;
  std::mutex& router_mutex_;
  Failure& failure_;
  const std::atomic<bool>& is_stopping_;
  std::vector<std::unique_ptr<Work>> works_;

  std::mutex mutex_;  // guards all below, and what changes of the works
  std::condition_variable changed_;
  std::size_t turn_ = 0;
  bool has_failed_ = false;
};

}  // namespace freshet
