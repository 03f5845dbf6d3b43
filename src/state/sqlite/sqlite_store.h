// The default state store: one SQLite file per pipeline (or several pipelines in one).
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "freshet/state_store.h"
#include "state/sqlite/database.h"

namespace freshet {

/// WAL mode, synchronous=FULL: what was stored has reached the disk. The file is for its owner
/// alone.
class SqliteStore final : public StateStore {
 public:
  /// Creates the file and its directories where absent; refuses a damaged file and one of a newer
  /// version with `storage`.
  static Result<std::unique_ptr<SqliteStore>> open(const std::string& path);

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
  explicit SqliteStore(std::unique_ptr<Database> database);

  /// Whether a change waits for the disk, or is there with the next one that does.
  enum class Sync : std::uint8_t { at_once, later };

  Status migrate();
  /// mutex_ must be held.
  Status set_sync(Sync sync);
  /// Runs `change` in one transaction that first finds the lease still held.
  template <typename Change>
  Status with_lease(const Lease& lease, Change change);
  template <typename Change>
  Status with_lease(const Lease& lease, Sync sync, Change change);

  /// Guards the connection. Held across file I/O: writes are few, and SQLite would queue them
  /// anyway.
  std::mutex mutex_;
  std::unique_ptr<Database> database_;
  Sync sync_ = Sync::at_once;
};

}  // namespace freshet
