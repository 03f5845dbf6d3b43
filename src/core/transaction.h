// A whole committed transaction, and how it is read: in pieces of bounded size, in source order.
// The rows stay in pgoutput's bytes until they are read; large transactions lie in a spill file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/transaction_log.h"
#include "freshet/result.h"
#include "freshet/row.h"
#include "freshet/schema.h"

namespace freshet {

/// One step of a transaction. Views live as long as the Piece that holds it.
struct Item {
  enum class Kind : std::uint8_t {
    rows,        ///< Consecutive changes of one table under one schema version.
    truncate,    ///< TRUNCATE of all of `truncated` in one statement.
    message,     ///< pg_logical_emit_message.
    definition,  ///< From here on a table has the definition `schema`, as captured at the source.
  };
  Kind kind = Kind::rows;
  SchemaPtr schema;           ///< Of the rows; the definition.
  std::span<Change> changes;  ///< Writable for transforms; never empty for `rows`.
  std::span<const SchemaPtr> truncated;
  bool is_cascade = false;
  bool restarts_identity = false;
  bool is_transactional = true;  ///< Of the message.
  std::string_view prefix;       ///< Of the message.
  std::string_view content;      ///< Of the message.
  Lsn lsn = kNoLsn;              ///< Of all but rows, which have their own.
};

/// A stretch of a transaction, with everything that its items point to; it keeps the transaction
/// alive. Reuse one for the next stretch to reuse its memory; moving keeps views valid. One thread
/// at a time.
class Piece {
 public:
  Piece() = default;
  Piece(Piece&&) noexcept = default;
  Piece& operator=(Piece&&) noexcept = default;

  std::span<const Item> items() const { return items_; }

  std::span<Item> items() { return items_; }

  /// Lets go of the transaction and of what pointed into it; keeps memory for the next stretch.
  void clear();

  /// Memory that it pins, about: bytes of its messages and of the values that point to them.
  std::size_t byte_size() const { return byte_size_; }

 private:
  friend class TransactionReader;
  friend class PieceFiller;
  std::shared_ptr<const Transaction> owner_;
  std::vector<char> loaded_;
  std::vector<Value> values_;
  std::vector<Change> changes_;
  std::vector<SchemaPtr> truncated_;
  std::vector<Item> items_;
  std::size_t byte_size_ = 0;
};

/// Reads a transaction from its start. Several may read the same one at once, each in its own
/// thread.
class TransactionReader {
 public:
  explicit TransactionReader(std::shared_ptr<const Transaction> transaction);

  /// Replaces what `piece` holds by the next stretch; false once there is none. A piece has at
  /// least one item. Fails with ErrorKind::storage if a spilled stretch cannot be read; then try no
  /// further.
  Result<bool> next(Piece& piece);

 private:
  std::shared_ptr<const Transaction> transaction_;
  std::size_t next_chunk_ = 0;
  std::uint64_t next_ordinal_ = 0;
};

/// Immutable once committed; any thread may read it.
class Transaction : public std::enable_shared_from_this<Transaction> {
 public:
  Transaction(const TransactionInfo& info, TransactionContent content);

  const TransactionInfo& info() const { return info_; }

  /// True if nothing survived: no row, truncate, message or definition. Its end LSN still counts as
  /// progress.
  bool is_empty() const { return content_.row_count == 0 && content_.other_count == 0; }

  /// Row changes that survived (their ordinals are 0 to change_count() - 1).
  std::uint64_t change_count() const { return content_.row_count; }

  /// Bytes kept, in memory or spilled; rolled-back rows included.
  std::size_t byte_size() const { return content_.log.byte_size(); }

  /// Bytes kept in memory.
  std::size_t memory_bytes() const { return content_.log.memory_bytes(); }

  bool is_spilled() const { return content_.log.is_spilled(); }

  /// The schema versions that its rows and truncates use, each once, in order of first use; those
  /// of rolled-back rows may be among them.
  std::span<const SchemaPtr> schemas() const { return content_.schemas; }

  /// Name of the replication origin that it came from; empty if it began here.
  const std::string& origin() const { return content_.origin; }

  TransactionReader read() const { return TransactionReader{shared_from_this()}; }

 private:
  friend class TransactionReader;
  friend class PieceFiller;
  TransactionInfo info_;
  TransactionContent content_;
};

using TransactionPtr = std::shared_ptr<const Transaction>;

}  // namespace freshet
