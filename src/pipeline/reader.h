// Reads the slot's stream, assembles transactions, hands them to every lane, and owns all feedback
// to the server: it never waits for a destination.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "base/backoff.h"
#include "core/assembler.h"
#include "freshet/config.h"
#include "freshet/destination.h"
#include "pg/connection.h"
#include "pipeline/failure.h"
#include "pipeline/lane.h"
#include "pipeline/wake.h"
#include "source/replication_connection.h"

namespace freshet {

/// Value of the field `reason` where a value is too large to be sent as text.
constexpr std::string_view kTooLargeAsText = "too_large_as_text";

class Reader {
 public:
  struct Options {
    pg::ConnectOptions connect;
    source::StartOptions start;    ///< Its `start` is where the server begins to send.
    Position published;            ///< What ends at or before it, all destinations have.
    Lsn confirmed_flush = kNoLsn;  ///< What the slot was told already.
    Undecided undecided{};         ///< With start.is_two_phase.
    SlotIdentity slot;
    std::size_t memory_bytes_max = 0;
    /// Called on the reader's thread after a reconnect: nothing of before has been lost for sure.
    std::function<Status()> on_reconnect;
  };

  Reader(Options options,
         std::unique_ptr<source::ReplicationConnection> connection,
         std::span<const std::unique_ptr<Lane>> lanes,
         SpillStore& spill,
         Wake& wake,
         Failure& failure,
         std::atomic<bool>& is_urgent);
  ~Reader();

  void start();
  /// Ends reading; feedback goes on until finish().
  void stop_reading();
  /// Sends the lanes' last durable position, ends the stream and joins the thread.
  void finish();
  /// As finish(), without a last word to the server.
  void abort();

  Position received() const { return Position{Lsn{received_.load(std::memory_order_acquire)}}; }

  Position acknowledged() const {
    return Position{Lsn{acknowledged_.load(std::memory_order_acquire)}};
  }

  std::uint64_t changes_received() const { return changes_.load(std::memory_order_relaxed); }

  std::uint64_t bytes_received() const { return bytes_.load(std::memory_order_relaxed); }

  std::uint64_t reconnects() const { return reconnects_.load(std::memory_order_relaxed); }

 private:
  using Clock = std::chrono::steady_clock;
  Status run();
  Status read_once();
  Status read_messages(std::chrono::milliseconds wait_max);
  Status take(const source::WalData& data);
  void add_to_batch(LaneItem item);
  void publish_batch();
  void take(const source::Keepalive& keepalive);
  void publish_idle(Position position);
  bool has_room() const;
  Status give_feedback();
  Lsn acknowledgeable();
  bool is_too_large_as_text(const Error& cause) const;
  Status reconnect(const Error& cause);
  Status reopen();
  Status end_stream();

  Options options_;
  bool has_moved_ = false;  // the source was promoted
  std::unique_ptr<source::ReplicationConnection> connection_;
  std::span<const std::unique_ptr<Lane>> lanes_;
  Assembler assembler_;
  Wake& wake_;
  Failure& failure_;
  std::atomic<bool>& is_urgent_;
  std::thread thread_;

  // The reader's thread alone:
  std::vector<LaneItem> batch_;  // published together: one lock and one wake-up for many
  std::size_t batch_bytes_ = 0;
  Position published_;    // end of the last thing in the batch or given to the lanes
  Lsn wal_end_ = kNoLsn;  // of the last keepalive
  Lsn passed_ = kNoLsn;   // how far this connection's stream has come
  bool owes_reply_ = false;
  Clock::time_point last_feedback_{};
  Clock::time_point last_idle_{};
  Clock::time_point last_request_{};
  Backoff backoff_{std::chrono::milliseconds(100), std::chrono::seconds(30)};

  enum class Wish : int { read, drain, finish, abort };
  std::atomic<Wish> wish_{Wish::read};
  std::atomic<std::uint64_t> received_{0};
  std::atomic<std::uint64_t> acknowledged_{0};
  std::atomic<std::uint64_t> changes_{0};
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<std::uint64_t> reconnects_{0};
};

}  // namespace freshet
