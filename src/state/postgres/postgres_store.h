// A state store in a PostgreSQL database, so that a pipeline can go on from another host. It keeps
// what it stores in the schema freshet_state, which several pipelines share.
#pragma once

#include <initializer_list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "freshet/state_store.h"
#include "pg/connection.h"

namespace freshet {

/// Each change under a lease is one statement that finds it held in the same moment. The lease's
/// age is told by the server's clock. A connection that was lost is made again once in each call;
/// if that fails too, or the lease was being taken, the error is of kind `connection`.
class PostgresStore final : public StateStore {
 public:
  /// Connects for `pipeline`; creates what is absent. Refuses with `storage` what a newer version
  /// wrote, with `setting` a standby and a database that is not in UTF-8.
  static Result<std::unique_ptr<PostgresStore>> open(const std::string& url,
                                                     const std::string& pipeline);
  /// The same for reading alone: creates nothing, and gives null where nothing was ever kept.
  static Result<std::unique_ptr<PostgresStore>> find(const std::string& url,
                                                     const std::string& pipeline);
  /// Fails as open() would, changing nothing.
  static Status check(const std::string& url, const std::string& pipeline);

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
  using Text = std::optional<std::string_view>;

  explicit PostgresStore(pg::ConnectOptions options);

  /// Runs `work` on the connection, which is made first if need be. mutex_ must be held.
  template <typename Work>
  auto run(Work work) -> decltype(work(std::declval<pg::Connection&>()));
  /// The same, once more if the connection was lost since the last call.
  template <typename Work>
  auto run_again_if_lost(Work work) -> decltype(work(std::declval<pg::Connection&>()));
  /// Stores `values` by a statement that does nothing unless the lease is held.
  Status change(const Lease& lease, std::string_view sql, std::initializer_list<Text> values = {});
  /// Releases or forgets by such a statement.
  Status end(const Lease& lease, std::string_view sql);

  pg::ConnectOptions options_;
  /// Guards the connection. Held across requests: they are few, and one connection would queue
  /// them anyway.
  std::mutex mutex_;
  std::unique_ptr<pg::Connection> connection_;
};

}  // namespace freshet
