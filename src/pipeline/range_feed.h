// Carries the rows of one range of a copy from COPY TO STDOUT to the destinations that want them.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "freshet/arena.h"
#include "freshet/destination.h"
#include "pipeline/lane.h"
#include "pipeline/table_plan.h"

namespace freshet {

/// One copier thread. Lines pass through unread where nothing has to look at them.
class RangeFeed {
 public:
  static Result<std::unique_ptr<RangeFeed>> open(const ShapePtr& shape,
                                                 const RangeId& range,
                                                 std::span<Lane* const> lanes);
  /// Takes whole lines of COPY text.
  Status take(std::string_view lines);
  /// Commits at every destination.
  Status finish();

  /// True once a destination or a transform failed: not the source's fault.
  bool has_failed() const { return has_failed_; }

 private:
  struct Writer {
    Lane* lane = nullptr;
    std::unique_lock<std::mutex> turn;  // held where ranges must come one after another
    std::unique_ptr<RangeWriter> writer;
    bool is_raw = false;
  };

  explicit RangeFeed(const ShapePtr& shape, TableName table)
      : shape_(shape), table_(std::move(table)) {}

  Status add(Lane& lane, const RangeId& range);
  Status parse(std::string_view lines);
  Status write(std::string_view lines);
  Error refused(const Lane& lane, Error error) const;

  ShapePtr shape_;
  TableName table_;
  std::vector<Writer> writers_;
  std::vector<Change> rows_;
  Arena arena_{std::size_t{1} << 20};
  bool has_failed_ = false;
};

}  // namespace freshet
