// Builds vector indexes after a copy, and what else belongs to a table, in the background: writes
// do not wait for it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "freshet/config.h"
#include "freshet/schema.h"
#include "pg/connection.h"

namespace freshet::postgres {

/// Owns one thread while jobs are there or may come. Thread-safe.
class IndexBuilder {
 public:
  struct Index {
    std::string column;
    std::uint32_t m = 0;
    std::uint32_t ef_construction = 0;
  };

  /// ANALYZE, then these indexes where they are missing; or, with `is_completion`, what
  /// freshet.table_objects says is wanted.
  struct Job {
    TableName table;
    std::vector<Index> indexes;
    bool is_completion = false;
    std::chrono::steady_clock::time_point not_before{};
    std::string object{};  ///< That could not be made so far, and how often.
    int failures = 0;
    int lock_waits = 0;
  };

  IndexBuilder(std::string url, std::string pipeline);
  ~IndexBuilder();
  IndexBuilder(const IndexBuilder&) = delete;
  IndexBuilder& operator=(const IndexBuilder&) = delete;

  void add(Job job);
  /// Makes room for statements that need these tables for themselves: what is being built of one of
  /// them, or a foreign key with it, is broken off and begun again a little later. Waits until it
  /// is.
  void give_way(std::span<const TableName> tables);
  /// Drops the jobs of one table, breaking off a running one. The same.
  void forget(const TableName& table);
  /// Breaks off and joins. No jobs are taken afterwards.
  void stop();

 private:
  void run(const std::stop_token& stop);
  void break_off(std::unique_lock<std::mutex>& lock);
  Status build(const Job& job,
               const std::shared_ptr<pg::Interrupter>& interrupter,
               std::unique_ptr<pg::Connection>& connection);
  Status complete(pg::Connection& connection, const Job& job);
  bool may_begin(const TableName& own, const TableName& other);
  bool is_yielded(const TableName& table) const;
  Status build_index(pg::Connection& connection, const TableName& table, const Index& index);
  void again_or_give_up(Job job, const Error& error);

  const std::string url_;
  const std::string pipeline_;
  std::mutex mutex_;  // guards the following
  std::condition_variable_any changed_;
  std::deque<Job> jobs_;
  std::shared_ptr<pg::Interrupter> running_;  // null: nothing is being built
  TableName running_table_;
  TableName running_other_;  // that the object being made refers to
  std::map<TableName, std::chrono::steady_clock::time_point> yielded_;  // until when
  bool is_forgotten_ = false;  // the running job must not come back
  std::jthread thread_;
};

}  // namespace freshet::postgres
