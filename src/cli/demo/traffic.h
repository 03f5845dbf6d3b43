// The demo's source side: tables, history, and live traffic.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cli/demo/conversations.h"
#include "freshet/result.h"
#include "pg/connection.h"

namespace freshet {

/// A transaction that a client committed. `step` counts the client's transactions from 1.
struct CommittedStep {
  std::uint32_t client = 0;
  std::uint64_t step = 0;
  std::string xid;
};

/// Clients' own rows in agent_runs have these ids, from 1. Each transaction of a client sets
/// `steps` of its row, so that a reader of the destination can tell which ones it sees.
constexpr std::uint32_t kClients = 4;

/// Makes the tables and loads conversations until there are `messages` messages. Returns the number
/// of rows, and in `next` the first conversation that was not loaded.
Result<std::uint64_t> load_history(pg::Connection& source,
                                   const std::vector<Conversation>& conversations,
                                   std::uint64_t messages,
                                   std::size_t& next);

/// Replays the rest of the conversations: each client inserts messages, keeps the counters of calls
/// and agent_runs, ends calls, and now and then retracts a message. Bounded by stop().
class Traffic {
 public:
  struct Options {
    std::string url;
    const std::vector<Conversation>* conversations = nullptr;
    std::size_t first = 0;  ///< Conversation to begin with.
    std::uint64_t next_message_id = 1;
    std::uint32_t rate = 800;  ///< Row changes per second, over all clients.
    std::uint64_t seed = 1;
  };

  explicit Traffic(Options options) : options_(std::move(options)) {}

  ~Traffic() { stop(); }

  Status start();
  void stop();
  /// The first error of a client, if any.
  Status status() const;

  std::uint64_t changes() const { return changes_.load(std::memory_order_relaxed); }

  std::uint64_t transactions() const { return transactions_.load(std::memory_order_relaxed); }

  /// What was committed since the last call.
  std::vector<CommittedStep> take_committed();

 private:
  class Client;
  void run(std::uint32_t client,
           std::unique_ptr<pg::Connection> connection,
           const std::stop_token& stop);

  Options options_;
  std::atomic<std::uint64_t> next_message_id_{0};
  std::atomic<std::size_t> next_conversation_{0};
  std::atomic<std::uint64_t> changes_{0};
  std::atomic<std::uint64_t> transactions_{0};
  mutable std::mutex mutex_;  // guards the two below
  std::vector<CommittedStep> committed_;
  Status status_;
  std::vector<std::jthread> threads_;
};

}  // namespace freshet
