#include "state/memory/memory_store.h"

#include <algorithm>
#include <utility>

#include "base/try.h"

namespace freshet {
namespace {

// Replaces the element that `is_same` finds, or appends.
template <typename T, typename IsSame>
void put(std::vector<T>& list, const T& value, IsSame is_same) {
  const auto found = std::find_if(list.begin(), list.end(), is_same);
  if (found == list.end()) {
    list.push_back(value);
  } else {
    *found = value;
  }
}

}  // namespace

MemoryStore::MemoryStore(std::shared_ptr<MemoryState> state) : state_(std::move(state)) {}

Result<Lease> MemoryStore::acquire(const std::string& pipeline, const Holder& self) {
  const std::lock_guard lock(state_->mutex);
  MemoryState::Entry& entry = state_->pipelines[pipeline];
  if (entry.holder && is_alive(*entry.holder, self.host)) {
    return lease_held_error(pipeline, entry.holder->holder);
  }
  state_->last_epoch = next_epoch(state_->last_epoch);
  entry.epoch = state_->last_epoch;
  entry.holder = lease_holder(self);
  return Lease{.pipeline = pipeline,
               .epoch = entry.epoch,
               .holder = self.host + " pid " + std::to_string(self.pid)};
}

template <typename Change>
Status MemoryStore::with_lease(const Lease& lease, Change change) {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->pipelines.find(lease.pipeline);
  if (found == state_->pipelines.end() || !found->second.holder ||
      found->second.epoch != lease.epoch) {
    return fenced_error(lease);
  }
  change(found->second);
  return ok_status();
}

Status MemoryStore::renew(const Lease& lease) {
  return with_lease(lease, [](MemoryState::Entry& entry) {
    entry.holder->renewed_at_ms = lease_holder(entry.holder->holder).renewed_at_ms;
  });
}

Status MemoryStore::release(const Lease& lease) {
  return with_lease(lease, [](MemoryState::Entry& entry) { entry.holder.reset(); });
}

Result<StoredPipeline> MemoryStore::load(const std::string& pipeline) {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->pipelines.find(pipeline);
  if (found == state_->pipelines.end()) return StoredPipeline{};
  StoredPipeline stored = found->second.stored;
  const std::optional<LeaseHolder>& holder = found->second.holder;
  if (holder && is_alive(*holder, this_host_name())) stored.holder = holder->holder;
  return stored;
}

Status MemoryStore::store_slot(const Lease& lease, const SlotIdentity& slot) {
  return with_lease(lease, [&](MemoryState::Entry& entry) { entry.stored.slot = slot; });
}

Status MemoryStore::store_publication(const Lease& lease, const std::string& created) {
  return with_lease(lease, [&](MemoryState::Entry& entry) { entry.stored.publication = created; });
}

Status MemoryStore::store_position(const Lease& lease, const DestinationProgress& progress) {
  return with_lease(lease, [&](MemoryState::Entry& entry) {
    put(entry.stored.positions, progress, [&](const DestinationProgress& known) {
      return known.destination == progress.destination;
    });
  });
}

Status MemoryStore::store_table(const Lease& lease, const TableState& table) {
  return with_lease(lease, [&](MemoryState::Entry& entry) {
    put(entry.stored.tables, table, [&](const TableState& known) {
      return known.destination == table.destination && known.table == table.table;
    });
  });
}

Status MemoryStore::store_schema(const Lease& lease, const FollowedSchema& followed) {
  return with_lease(lease, [&](MemoryState::Entry& entry) {
    put(entry.stored.schemas, followed, [&](const FollowedSchema& known) {
      return known.destination == followed.destination && known.schema.name == followed.schema.name;
    });
  });
}

Status MemoryStore::store_watched(const Lease& lease, const std::string& watched) {
  return with_lease(lease, [&](MemoryState::Entry& entry) { entry.stored.watched = watched; });
}

Status MemoryStore::store_wish(const std::string& pipeline, const WishedTable& wished) {
  const std::lock_guard lock(state_->mutex);
  std::vector<WishedTable>& wishes = state_->pipelines[pipeline].stored.wishes;
  put(wishes, wished, [&](const WishedTable& known) { return known.table == wished.table; });
  std::sort(wishes.begin(), wishes.end(),
            [](const WishedTable& a, const WishedTable& b) { return a.table < b.table; });
  return ok_status();
}

Result<std::vector<WishedTable>> MemoryStore::load_wishes(const std::string& pipeline) {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->pipelines.find(pipeline);
  return found == state_->pipelines.end() ? std::vector<WishedTable>{}
                                          : found->second.stored.wishes;
}

Status MemoryStore::forget_wish(const Lease& lease, const WishedTable& wished) {
  return with_lease(lease,
                    [&](MemoryState::Entry& entry) { std::erase(entry.stored.wishes, wished); });
}

Status MemoryStore::forget(const Lease& lease) {
  FRESHET_TRY(with_lease(lease, [](MemoryState::Entry&) {}));
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->pipelines.find(lease.pipeline);
  // Looked at again: somebody may have come between the two locks.
  if (found != state_->pipelines.end() && found->second.epoch == lease.epoch) {
    state_->pipelines.erase(found);
  }
  return ok_status();
}

}  // namespace freshet
