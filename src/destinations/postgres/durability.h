// Which of the positions committed at the destination are durable there. Pure.
//
// A commit that did not wait for the disk is durable once the server has flushed its WAL past the
// insert position read after the commit. Synchronous standbys add what no LSN read here can show:
// then only a commit that waited proves anything.
#pragma once

#include <deque>

#include "freshet/lsn.h"

namespace freshet::postgres {

class DurabilityQueue {
 public:
  /// Starts over: everything up to `durable` is.
  void reset(Position durable) {
    pending_.clear();
    durable_ = durable;
  }

  /// A commit that did not wait; `insert` was read after it.
  void committed(Position position, Lsn insert) {
    // Merging the newest two only makes the older one wait for the newer one's flush.
    if (pending_.size() >= kPendingMax) pending_.pop_back();
    pending_.push_back({position, insert});
  }

  /// A commit that waited for disk and standbys: it and all before it are durable.
  void proved(Position position) {
    while (!pending_.empty() && pending_.front().position <= position)
      pending_.pop_front();
    if (position > durable_) durable_ = position;
  }

  void flushed(Lsn flush) {
    while (!pending_.empty() && pending_.front().insert <= flush) {
      if (pending_.front().position > durable_) durable_ = pending_.front().position;
      pending_.pop_front();
    }
  }

  Position durable() const noexcept { return durable_; }

 private:
  static constexpr std::size_t kPendingMax = 4096;

  struct Commit {
    Position position;
    Lsn insert;
  };

  std::deque<Commit> pending_;
  Position durable_;
};

}  // namespace freshet::postgres
