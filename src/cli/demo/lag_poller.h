// Measures lag from outside: when did each transaction become visible at the destination?
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "cli/demo/traffic.h"
#include "freshet/result.h"
#include "pg/connection.h"

namespace freshet {

/// Looks at the clients' rows in the destination's agent_runs about every millisecond, over a
/// connection of its own, and remembers when it first saw each step.
class LagPoller {
 public:
  using Clock = std::chrono::system_clock;

  struct Sighting {
    std::uint64_t step;    ///< All steps up to this one are visible
    Clock::time_point at;  ///< at this time at the latest.
  };

  explicit LagPoller(std::string url) : url_(std::move(url)) {}

  ~LagPoller() { stop(); }

  Status start();
  void stop();
  /// True once every client's last step of `committed` is visible.
  bool has_seen(const std::array<std::uint64_t, kClients>& steps) const;
  std::vector<Sighting> sightings(std::uint32_t client) const;
  Status status() const;

 private:
  void run(std::unique_ptr<pg::Connection> connection, const std::stop_token& stop);
  Status look(pg::Connection& connection);

  std::string url_;
  mutable std::mutex mutex_;  // guards the two below
  std::array<std::vector<Sighting>, kClients> seen_;
  Status status_;
  std::jthread thread_;
};

struct LagFigures {
  std::uint64_t transactions = 0;
  double p50_ms = 0;
  double p99_ms = 0;
  double max_ms = 0;
};

/// Lag of the given transactions: from the source's commit timestamps (`source` is asked for them)
/// to the first sighting. Every one must have been seen.
Result<LagFigures> measure_lag(pg::Connection& source,
                               const std::vector<CommittedStep>& committed,
                               const LagPoller& poller);

}  // namespace freshet
