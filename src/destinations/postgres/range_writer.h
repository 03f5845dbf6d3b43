// Copies ranges: each in a transaction of its own, on a connection of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "freshet/destination.h"
#include "pg/connection.h"

namespace freshet::postgres {

/// Connections for ranges, and which writer they write for. Thread-safe; ranges may outlive the
/// destination.
class RangePool {
 public:
  RangePool(std::string url, std::string pipeline)
      : url_(std::move(url)), pipeline_(std::move(pipeline)) {}

  const std::string& pipeline() const noexcept { return pipeline_; }

  /// From now on ranges are begun, and older ones refused, under this fence.
  void set_fence(std::uint64_t fence);
  std::uint64_t fence() const;
  Result<std::unique_ptr<pg::Connection>> take();
  void give_back(std::unique_ptr<pg::Connection> connection);
  /// Ends what the ranges wait for and refuses new ones.
  void close();

 private:
  const std::string url_;
  const std::string pipeline_;
  const std::shared_ptr<pg::Interrupter> interrupter_ = std::make_shared<pg::Interrupter>();
  mutable std::mutex mutex_;  // guards the following
  std::uint64_t fence_ = 0;
  std::vector<std::unique_ptr<pg::Connection>> idle_;
};

Result<std::unique_ptr<RangeWriter>> open_range(std::shared_ptr<RangePool> pool,
                                                const SchemaPtr& schema,
                                                const RangeId& range);

}  // namespace freshet::postgres
