// A pg_snapshot, and whether it sees a transaction that the stream names by its 32-bit xid.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "freshet/lsn.h"
#include "freshet/result.h"

namespace freshet {

/// A transaction id with its epoch (xid8), which never repeats.
enum class FullXid : std::uint64_t {};

constexpr std::uint64_t to_integer(FullXid xid) noexcept {
  return static_cast<std::uint64_t>(xid);
}

/// What `pg_current_snapshot()` gave on a primary. A value.
class Snapshot {
 public:
  /// Reads `xmin:xmax:xip,xip,...`. Malformed text is an error of kind `protocol`. In a snapshot
  /// that a slot's creation exported xmin may be the greater one: what lies between was rolled back
  /// (snapbuild.c moves xmax at commits only).
  static Result<Snapshot> parse(std::string_view text);

  /// True if the snapshot sees what the *top-level* transaction `xid` did, given that it committed.
  /// The xid is widened to the one nearest to xmax: right for any transaction within 2^31 of it.
  bool is_visible(Xid xid) const noexcept;
  bool is_visible(FullXid xid) const noexcept;
  /// The epoch put back.
  FullXid widen(Xid xid) const noexcept;

  FullXid xmin() const noexcept { return xmin_; }

  FullXid xmax() const noexcept { return xmax_; }

  std::string to_string() const;

 private:
  FullXid xmin_{0};
  FullXid xmax_{0};
  std::vector<FullXid> in_progress_;  // ascending
};

}  // namespace freshet
