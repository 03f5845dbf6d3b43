// A state store that lives as long as the process: for tests, and for `state: memory:`.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "freshet/state_store.h"
#include "state/holder.h"

namespace freshet {

/// What MemoryStores keep; several may share one, as several processes share a file.
struct MemoryState {
  struct Entry {
    StoredPipeline stored;
    std::uint64_t epoch = 0;
    std::optional<LeaseHolder> holder;
  };

  std::mutex mutex;  ///< Guards everything below.
  std::map<std::string, Entry> pipelines;
  std::uint64_t last_epoch = 0;  ///< Not reset by forget(): a forgotten lease must stay stale.
};

class MemoryStore final : public StateStore {
 public:
  explicit MemoryStore(std::shared_ptr<MemoryState> state = std::make_shared<MemoryState>());

  Result<Lease> acquire(const std::string& pipeline, const Holder& self) override;
  Status renew(const Lease& lease) override;
  Status release(const Lease& lease) override;
  Result<StoredPipeline> load(const std::string& pipeline) override;
  Status store_slot(const Lease& lease, const SlotIdentity& slot) override;
  Status store_publication(const Lease& lease, const std::string& created) override;
  Status store_position(const Lease& lease, const DestinationProgress& progress) override;
  Status store_table(const Lease& lease, const TableState& table) override;
  Status store_schema(const Lease& lease, const FollowedSchema& followed) override;
  Status store_watched(const Lease& lease, const std::string& watched) override;
  Status store_wish(const std::string& pipeline, const WishedTable& wished) override;
  Result<std::vector<WishedTable>> load_wishes(const std::string& pipeline) override;
  Status forget_wish(const Lease& lease, const WishedTable& wished) override;
  Status forget(const Lease& lease) override;

 private:
  /// Runs `change` on the pipeline's entry if the lease is held.
  template <typename Change>
  Status with_lease(const Lease& lease, Change change);

  std::shared_ptr<MemoryState> state_;
};

}  // namespace freshet
