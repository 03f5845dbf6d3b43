// Where the changes of a table wait while it is being copied. A cache, never durable: after a crash
// the table is copied again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/spill.h"
#include "freshet/arena.h"
#include "freshet/result.h"
#include "freshet/row.h"

namespace freshet {

/// One step of what was held; views into the HeldPiece.
struct HeldItem {
  bool is_truncate = false;
  bool is_definition = false;  ///< From here on the table has this schema.
  bool restarts_identity = false;
  const TransactionInfo* transaction = nullptr;  ///< Of the first change, where there are some.
  SchemaPtr schema;
  std::span<Change> changes;
};

/// A stretch of a spool with the memory that its items point to. Reusable.
struct HeldPiece {
  std::vector<HeldItem> items;
  bool is_whole = true;  ///< Whole transactions; false: the next piece goes on with the last one.
  std::vector<char> bytes;
  Arena arena;
};

/// What the spools of a lane share: memory, and one file for what does not fit. One thread.
class HoldStore {
 public:
  /// `spill` must outlive the store. Up to twice `memory_bytes_max` stay in memory, the rest on
  /// disk: half of it in blocks, and half in what spools gather for their next one.
  HoldStore(SpillStore& spill, std::size_t memory_bytes_max);

 private:
  friend class HoldSpool;

  std::size_t block_bytes() const;

  bool is_full() const { return memory_bytes_ > memory_bytes_max_; }

  Result<std::uint64_t> write(std::string_view bytes);
  void forget_written();

  SpillStore& spill_;
  const std::size_t memory_bytes_max_;
  std::size_t memory_bytes_ = 0;
  std::size_t spools_ = 0;
  std::size_t blocks_written_ = 0;  // those in use; with the last of them the file goes
  std::unique_ptr<SpillFile> file_;
};

/// Changes of one table, first in, first out. One thread.
class HoldSpool {
 public:
  /// `store` must outlive the spool.
  explicit HoldSpool(HoldStore& store);
  ~HoldSpool();
  HoldSpool(const HoldSpool&) = delete;
  HoldSpool& operator=(const HoldSpool&) = delete;

  Status append(const SchemaPtr& schema, std::span<const Change> changes);
  Status append_truncate(const SchemaPtr& schema,
                         bool restarts_identity,
                         const TransactionInfo& transaction);
  Status append_definition(const SchemaPtr& schema, const TransactionInfo& transaction);
  /// Takes the next stretch out, once all of the last transaction came in; false when nothing is
  /// left.
  Result<bool> next(HeldPiece& piece);
  bool is_empty() const;

 private:
  struct Block {
    std::string bytes;  // empty once it lies in the file
    std::uint64_t offset = 0;
    std::size_t size = 0;
    bool is_whole = true;
  };

  std::uint32_t index_of(const SchemaPtr& schema);
  Status enter(const TransactionInfo& transaction);
  Status make_room(bool is_new_transaction);
  Status close_block(bool is_whole);
  Status load(const Block& block, std::vector<char>& into) const;
  void forget(Block& block);

  HoldStore& store_;
  std::vector<Block> blocks_;
  std::size_t next_block_ = 0;
  std::string open_;
  TransactionInfo open_transaction_;  // whose header stands last in the open block
  std::vector<SchemaPtr> schemas_;
};

}  // namespace freshet
