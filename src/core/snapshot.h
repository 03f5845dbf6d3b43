// A pg_snapshot, and whether it sees a transaction that the stream names by its 32-bit xid.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "freshet/lsn.h"
#include "freshet/result.h"
#include "freshet/row.h"

namespace freshet {

/// A transaction id with its epoch (xid8), which never repeats.
enum class FullXid : std::uint64_t {};

constexpr std::uint64_t to_integer(FullXid xid) noexcept {
  return static_cast<std::uint64_t>(xid);
}

/// A committed top-level transaction, as the stream tells of it.
struct Committed {
  Xid xid{0};
  Lsn commit = kNoLsn;  ///< Where its commit record begins.
  Lsn end = kNoLsn;     ///< And ends.
};

Committed committed_of(const TransactionInfo& info) noexcept;

/// How far a standby had replayed just before a snapshot was taken there, and just after.
struct Replayed {
  Lsn before = kNoLsn;
  Lsn after = kNoLsn;
};

/// Whether a snapshot sees what a transaction did.
enum class Sight : std::uint8_t { seen, unseen, unclear };

/// What `pg_current_snapshot()` gave. On a standby that lists none of the transactions under way;
/// but a standby shows a commit once it is replayed, and the LSN tells. What is replayed while the
/// snapshot is taken stays unclear, unless xmin or xmax decide; so does a commit that begins where
/// the standby has come to just after: it is shown before its replay is over. A value.
class Snapshot {
 public:
  /// Reads `xmin:xmax:xip,xip,...`. Malformed text is an error of kind `protocol`. In a snapshot
  /// that a slot's creation exported xmin may be the greater one: what lies between was rolled back
  /// (snapbuild.c moves xmax at commits only).
  static Result<Snapshot> parse(std::string_view text);
  /// Of a standby.
  static Result<Snapshot> parse(std::string_view text, Replayed replayed);

  /// What it did, given that it committed; its sub-transactions' doings included.
  Sight sight_of(const Committed& transaction) const noexcept;

  /// Nothing: it was taken on a primary.
  const std::optional<Replayed>& replayed() const noexcept { return replayed_; }

  /// Of a primary's: true if the snapshot sees what the *top-level* transaction `xid` did, given
  /// that it committed. The xid is widened to the one nearest to xmax: right for any transaction
  /// within 2^31 of it.
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
  std::optional<Replayed> replayed_;
};

}  // namespace freshet
