#include "pipeline/lane_queue.h"

#include <utility>

namespace freshet {
namespace {

// An empty transaction still takes a place in the queue.
constexpr std::size_t kItemBytes = 256;

std::size_t size_of(const LaneItem& item) {
  return kItemBytes + (item.transaction ? item.transaction->memory_bytes() : 0);
}

}  // namespace

void LaneQueue::push(std::span<const LaneItem> items) {
  std::size_t bytes = 0;
  for (const LaneItem& item : items)
    bytes += size_of(item);
  bool was_empty = false;
  {
    const std::lock_guard lock(mutex_);
    if (is_closed_) return;
    was_empty = items_.empty();
    bytes_ += bytes;
    items_.insert(items_.end(), items.begin(), items.end());
  }
  // The lane waits only while the queue is empty, so that one wake-up per burst is enough.
  if (was_empty) changed_.notify_one();
}

Status LaneQueue::call(std::function<Status()> work, bool ends_lane) {
  std::future<Status> done;
  {
    const std::lock_guard lock(mutex_);
    if (is_closed_) return Error{ErrorKind::cancelled, "the lane has stopped"};
    calls_.push_back(LaneCall{.work = std::move(work), .ends_lane = ends_lane, .done = {}});
    done = calls_.back().done.get_future();
  }
  changed_.notify_one();
  return done.get();
}

bool LaneQueue::is_empty() const {
  const std::lock_guard lock(mutex_);
  return items_.empty();
}

void LaneQueue::take(Taken& taken, std::size_t bytes_max, std::chrono::milliseconds wait_max) {
  taken.items.clear();
  taken.calls.clear();
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, wait_max,
                    [&] { return !items_.empty() || !calls_.empty() || is_closed_; });
  taken.is_closed = is_closed_;
  taken.calls.swap(calls_);
  std::size_t count = 0;
  std::size_t bytes = 0;
  while (count < items_.size() && (count == 0 || bytes + size_of(items_[count]) <= bytes_max)) {
    bytes += size_of(items_[count++]);
  }
  if (count == items_.size()) {
    taken.items.swap(items_);
  } else {
    const auto end = items_.begin() + static_cast<std::ptrdiff_t>(count);
    taken.items.assign(std::make_move_iterator(items_.begin()), std::make_move_iterator(end));
    items_.erase(items_.begin(), end);
  }
  bytes_ -= bytes;
}

void LaneQueue::close() {
  std::vector<LaneCall> refused;
  {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
    items_.clear();
    bytes_ = 0;
    refused.swap(calls_);
  }
  changed_.notify_all();
  for (LaneCall& call : refused)
    call.done.set_value(Error{ErrorKind::cancelled, "the lane has stopped"});
}

}  // namespace freshet
