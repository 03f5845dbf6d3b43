// The one transaction that an operator wants left out: `freshet run --skip-lsn`.
#pragma once

#include <atomic>

#include "freshet/row.h"

namespace freshet {

/// Outlives the sessions of a run. Thread-safe.
class SkippedCommit {
 public:
  /// kNoLsn: none.
  explicit SkippedCommit(Lsn commit_lsn) : commit_lsn_(commit_lsn) {}

  Lsn commit_lsn() const noexcept { return commit_lsn_; }

  /// True if this is the one; it has been met then.
  bool leaves_out(const TransactionInfo& transaction) noexcept {
    if (commit_lsn_ == kNoLsn || transaction.commit_lsn != commit_lsn_) return false;
    was_met_.store(true, std::memory_order_relaxed);
    return true;
  }

  /// True if one is wanted that has not come.
  bool is_awaited() const noexcept {
    return commit_lsn_ != kNoLsn && !was_met_.load(std::memory_order_relaxed);
  }

  /// True the first time, if one is wanted.
  bool is_asked_for_anew() noexcept { return commit_lsn_ != kNoLsn && !was_seen_.exchange(true); }

  /// Whoever has come so far gets it no more.
  bool is_behind(Position position) const noexcept { return position.end > commit_lsn_; }

 private:
  const Lsn commit_lsn_;
  std::atomic<bool> was_met_{false};
  std::atomic<bool> was_seen_{false};
};

}  // namespace freshet
