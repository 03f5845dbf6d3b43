// Keeps a pipeline's lease from running out, whatever the thread that runs the pipeline waits for.
#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>

#include "freshet/result.h"
#include "freshet/state_store.h"

namespace freshet {

/// Renews on a thread of its own, from construction to destruction, or until the lease is lost.
class LeaseRenewal {
 public:
  LeaseRenewal(StateStore& state, const Lease& lease);

  /// How it went the last time. A state that is away may be back the next; what is not worth trying
  /// again stays. Any thread.
  Status status() const;

 private:
  void run(const std::stop_token& stop);

  StateStore& state_;
  const Lease& lease_;
  mutable std::mutex mutex_;
  std::condition_variable_any stopping_;
  Status status_;  // guarded by mutex_
  std::jthread thread_;
};

}  // namespace freshet
