// Rows and changes as they travel: views into bytes that the batch's owner keeps alive.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "freshet/lsn.h"
#include "freshet/schema.h"

namespace freshet {

enum class ValueKind : std::uint8_t {
  null,
  unchanged,  ///< A TOASTed value that an UPDATE did not touch and the server did not send.
  text,       ///< PostgreSQL's text output under the pinned session settings, UTF-8, no NUL.
  binary,     ///< The type's binary send format.
};

/// One value; a view. 16 bytes.
struct Value {
  const char* data = nullptr;
  std::uint32_t size = 0;
  ValueKind kind = ValueKind::null;

  std::string_view view() const noexcept { return {data, size}; }

  bool is_null() const noexcept { return kind == ValueKind::null; }

  bool is_unchanged() const noexcept { return kind == ValueKind::unchanged; }

  static Value text(std::string_view bytes) noexcept {
    return {bytes.data(), static_cast<std::uint32_t>(bytes.size()), ValueKind::text};
  }

  static Value null() noexcept { return {}; }

  static Value unchanged() noexcept { return {nullptr, 0, ValueKind::unchanged}; }
};

using RowView = std::span<const Value>;

enum class Op : std::uint8_t {
  insert,
  update,
  remove,
  /// The row of `after`'s key now looks so, whether or not the destination had it (from a row
  /// filter that we evaluate ourselves, and from re-reads).
  upsert,
};
/// What `before` holds: nothing, the identity's columns (others null), or the whole old row.
enum class OldRow : std::uint8_t { none, key, full };

/// The transaction a change came in. Copied rows have none.
struct TransactionInfo {
  Xid xid{0};
  Lsn commit_lsn = kNoLsn;
  Lsn end_lsn = kNoLsn;
  SourceTime committed_at{0};
};

/// One row change. All views live as long as the Group (or RowBatch) that holds it.
/// insert: after. update: after, and before iff the key changed or the identity is FULL. remove:
/// before.
struct Change {
  Op op = Op::insert;
  OldRow old_row = OldRow::none;
  RowView before;  ///< As many values as the schema has columns, or empty.
  RowView after;
  ChangeId id;
  Lsn lsn = kNoLsn;
  const TransactionInfo* transaction = nullptr;
};

}  // namespace freshet
