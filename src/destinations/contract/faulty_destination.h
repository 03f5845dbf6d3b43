// A destination that fails on demand in front of a real one: for tests of whoever writes to it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>

#include "freshet/destination.h"

namespace freshet {

/// What a FaultyDestination does to calls that write. Thread-safe; outlives the destination.
class FaultPlan {
 public:
  /// The next `count` writes fail with `error` and reach nothing.
  void reject(Error error, unsigned count = 1);
  /// The next `count` writes are done, then fail with `error` in doubt.
  void fail_after_write(Error error, unsigned count = 1);
  /// Writes wait until let_go().
  void hold();
  void let_go();
  /// Each write takes this much longer.
  void slow_down(std::chrono::milliseconds delay);
  /// Writes that have begun so far, failed ones included.
  unsigned write_count() const;
  /// Waits until a write is being held; false after `timeout`.
  bool wait_until_held(std::chrono::milliseconds timeout) const;

 private:
  friend class FaultyDestination;

  struct Fault {
    Error error;
    unsigned count = 0;
  };

  std::optional<Error> before_write();
  std::optional<Error> after_write();
  static std::optional<Error> take(std::optional<Fault>& fault);

  mutable std::mutex mutex_;  ///< Guards all below.
  mutable std::condition_variable changed_;
  std::optional<Fault> rejection_;
  std::optional<Fault> failure_;
  std::chrono::milliseconds delay_{0};
  bool is_holding_ = false;
  unsigned held_ = 0;
  unsigned writes_ = 0;
};

/// Passes every call on; write() and RangeWriter::finish() go through the plan.
class FaultyDestination final : public Destination {
 public:
  FaultyDestination(std::unique_ptr<Destination> inner, std::shared_ptr<FaultPlan> plan);

  Traits traits() const override;
  Result<DestinationState> open(const Lease& lease) override;
  Status adopt_slot(const SlotIdentity& slot, Position start) override;
  Status forget_slot() override;
  Status prepare_table(const SchemaPtr& schema) override;
  Status reset_table(const SchemaPtr& schema) override;
  Result<std::unique_ptr<RangeWriter>> begin_range(const SchemaPtr& schema,
                                                   const RangeId& range) override;
  Status finish_copy(const SchemaPtr& schema) override;
  Status add_objects(const TableName& table, std::span<const TableObject> objects) override;
  Status evolve(const SchemaPtr& from, const SchemaPtr& to) override;
  Result<Position> write(const Group& group, Durability durability) override;
  Status close(std::chrono::steady_clock::time_point deadline) override;

 private:
  class FaultyRangeWriter;

  std::unique_ptr<Destination> inner_;
  std::shared_ptr<FaultPlan> plan_;
};

}  // namespace freshet
