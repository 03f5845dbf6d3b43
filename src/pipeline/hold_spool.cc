#include "pipeline/hold_spool.h"

#include <algorithm>
#include <cstring>

#include "base/try.h"

namespace freshet {
namespace {

// A block is a sequence of records, in the machine's own byte order, since it never leaves it:
//   't' TransactionInfo                                 the transaction of what follows
//   'c' ChangeHeader, then `before` and `after` values  one change
//   'x' u32 schema, u8 restarts_identity                a TRUNCATE
//   'd' u32 schema                                      a captured definition
// A value is u8 kind, u32 size, bytes.
constexpr std::size_t kBlockBytes = std::size_t{1} << 20;
// With many tables; each is a write to disk, and a commit later.
constexpr std::size_t kBlockBytesMin = std::size_t{64} << 10;
// Who exchanges keys in one statement must not find it cut in two: a block ends with a transaction,
// unless that is larger than this.
constexpr std::size_t kBlockBytesMax = std::size_t{8} << 20;

struct ChangeHeader {
  std::uint64_t commit_lsn;
  std::uint64_t ordinal;
  std::uint64_t lsn;
  std::uint32_t schema;
  std::uint16_t before_count;
  std::uint16_t after_count;
  Op op;
  OldRow old_row;
};

template <typename T>
void put(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void put_row(std::string& out, RowView row) {
  for (const Value& value : row) {
    put(out, value.kind);
    put(out, value.size);
    if (value.size != 0) out.append(value.data, value.size);
  }
}

// Reads what this file wrote: a short block would be our own defect.
class BlockReader {
 public:
  explicit BlockReader(std::span<const char> bytes) : bytes_(bytes) {}

  bool is_done() const { return at_ == bytes_.size(); }

  template <typename T>
  T get() {
    T value;
    FRESHET_CHECK(at_ + sizeof value <= bytes_.size());
    std::memcpy(&value, bytes_.data() + at_, sizeof value);
    at_ += sizeof value;
    return value;
  }

  RowView get_row(std::size_t count, Arena& arena) {
    const std::span<Value> row = arena.array<Value>(count);
    for (Value& value : row) {
      value.kind = get<ValueKind>();
      value.size = get<std::uint32_t>();
      FRESHET_CHECK(at_ + value.size <= bytes_.size());
      value.data = bytes_.data() + at_;
      at_ += value.size;
    }
    return row;
  }

 private:
  std::span<const char> bytes_;
  std::size_t at_ = 0;
};

bool is_same(const TransactionInfo& a, const TransactionInfo& b) {
  return a.xid == b.xid && a.commit_lsn == b.commit_lsn && a.end_lsn == b.end_lsn;
}

}  // namespace

HoldStore::HoldStore(SpillStore& spill, std::size_t memory_bytes_max)
    : spill_(spill), memory_bytes_max_(memory_bytes_max) {}

// Hundreds of tables may be held at once.
std::size_t HoldStore::block_bytes() const {
  return std::clamp(memory_bytes_max_ / std::max<std::size_t>(spools_, 1), kBlockBytesMin,
                    kBlockBytes);
}

Result<std::uint64_t> HoldStore::write(std::string_view bytes) {
  if (!file_) {
    FRESHET_TRY(file_, spill_.create());
  }
  FRESHET_TRY(const std::uint64_t offset, file_->append(bytes));
  ++blocks_written_;
  return offset;
}

void HoldStore::forget_written() {
  if (--blocks_written_ == 0) file_.reset();
}

HoldSpool::HoldSpool(HoldStore& store) : store_(store) {
  ++store_.spools_;
}

HoldSpool::~HoldSpool() {
  for (; next_block_ < blocks_.size(); ++next_block_)
    forget(blocks_[next_block_]);
  store_.memory_bytes_ -= open_.size();
  --store_.spools_;
}

std::uint32_t HoldSpool::index_of(const SchemaPtr& schema) {
  for (std::size_t i = schemas_.size(); i-- > 0;) {
    if (schemas_[i] == schema) return static_cast<std::uint32_t>(i);
  }
  schemas_.push_back(schema);
  return static_cast<std::uint32_t>(schemas_.size() - 1);
}

Status HoldSpool::append(const SchemaPtr& schema, std::span<const Change> changes) {
  const std::uint32_t schema_index = index_of(schema);
  for (const Change& change : changes) {
    FRESHET_TRY(enter(*change.transaction));
    const std::size_t before = open_.size();
    open_ += 'c';
    put(open_, ChangeHeader{.commit_lsn = to_integer(change.id.commit),
                            .ordinal = change.id.ordinal,
                            .lsn = to_integer(change.lsn),
                            .schema = schema_index,
                            .before_count = static_cast<std::uint16_t>(change.before.size()),
                            .after_count = static_cast<std::uint16_t>(change.after.size()),
                            .op = change.op,
                            .old_row = change.old_row});
    put_row(open_, change.before);
    put_row(open_, change.after);
    store_.memory_bytes_ += open_.size() - before;
  }
  return ok_status();
}

Status HoldSpool::append_truncate(const SchemaPtr& schema,
                                  bool restarts_identity,
                                  const TransactionInfo& transaction) {
  FRESHET_TRY(enter(transaction));
  const std::size_t before = open_.size();
  open_ += 'x';
  put(open_, index_of(schema));
  put(open_, restarts_identity);
  store_.memory_bytes_ += open_.size() - before;
  return ok_status();
}

Status HoldSpool::append_definition(const SchemaPtr& schema, const TransactionInfo& transaction) {
  FRESHET_TRY(enter(transaction));
  const std::size_t before = open_.size();
  open_ += 'd';
  put(open_, index_of(schema));
  store_.memory_bytes_ += open_.size() - before;
  return ok_status();
}

// What is appended next is of that transaction.
Status HoldSpool::enter(const TransactionInfo& transaction) {
  const bool is_new = !is_same(open_transaction_, transaction);
  FRESHET_TRY(make_room(is_new));
  if (!is_new && !open_.empty()) return ok_status();
  open_transaction_ = transaction;
  open_ += 't';
  put(open_, open_transaction_);
  store_.memory_bytes_ += 1 + sizeof open_transaction_;
  return ok_status();
}

Status HoldSpool::make_room(bool is_new_transaction) {
  const std::size_t bytes_max = is_new_transaction ? store_.block_bytes() : kBlockBytesMax;
  return open_.size() < bytes_max ? ok_status() : close_block(is_new_transaction);
}

Status HoldSpool::close_block(bool is_whole) {
  Block block{.bytes = {}, .offset = 0, .size = open_.size(), .is_whole = is_whole};
  if (store_.is_full()) {
    FRESHET_TRY(block.offset, store_.write(open_));
    store_.memory_bytes_ -= open_.size();
  } else {
    block.bytes = std::move(open_);
  }
  blocks_.push_back(std::move(block));
  open_ = {};
  return ok_status();
}

void HoldSpool::forget(Block& block) {
  if (block.bytes.empty()) {
    store_.forget_written();
  } else {
    store_.memory_bytes_ -= block.size;
    block.bytes = {};
  }
}

Status HoldSpool::load(const Block& block, std::vector<char>& into) const {
  into.resize(block.size);
  if (block.bytes.empty()) return store_.file_->read(block.offset, into);
  std::memcpy(into.data(), block.bytes.data(), block.size);
  return ok_status();
}

Result<bool> HoldSpool::next(HeldPiece& piece) {
  if (next_block_ == blocks_.size() && !open_.empty()) FRESHET_TRY(close_block(true));
  piece.items.clear();
  piece.arena.clear();
  if (next_block_ == blocks_.size()) return false;
  Block& block = blocks_[next_block_++];
  FRESHET_TRY(load(block, piece.bytes));
  forget(block);
  piece.is_whole = block.is_whole;

  BlockReader in(piece.bytes);
  const TransactionInfo* transaction = nullptr;
  std::vector<Change> changes;
  std::uint32_t schema_index = 0;
  const auto end_run = [&] {
    if (changes.empty()) return;
    const std::span<Change> run = piece.arena.array<Change>(changes.size());
    std::copy(changes.begin(), changes.end(), run.begin());
    piece.items.push_back(HeldItem{
        .transaction = run.front().transaction, .schema = schemas_[schema_index], .changes = run});
    changes.clear();
  };
  while (!in.is_done()) {
    const char kind = in.get<char>();
    if (kind == 't') {
      const std::span<TransactionInfo> info = piece.arena.array<TransactionInfo>(1);
      info[0] = in.get<TransactionInfo>();
      transaction = info.data();
    } else if (kind == 'c') {
      const auto header = in.get<ChangeHeader>();
      if (header.schema != schema_index) end_run();
      schema_index = header.schema;
      const RowView before = in.get_row(header.before_count, piece.arena);
      const RowView after = in.get_row(header.after_count, piece.arena);
      changes.push_back(Change{.op = header.op,
                               .old_row = header.old_row,
                               .before = before,
                               .after = after,
                               .id = {Lsn{header.commit_lsn}, header.ordinal},
                               .lsn = Lsn{header.lsn},
                               .transaction = transaction});
    } else {
      FRESHET_CHECK(kind == 'd' || kind == 'x');
      end_run();
      HeldItem& item = piece.items.emplace_back();
      item.transaction = transaction;
      item.schema = schemas_[in.get<std::uint32_t>()];
      item.is_definition = kind == 'd';
      item.is_truncate = kind == 'x';
      if (item.is_truncate) item.restarts_identity = in.get<bool>();
    }
  }
  end_run();
  return true;
}

bool HoldSpool::is_empty() const {
  return next_block_ == blocks_.size() && open_.empty();
}

}  // namespace freshet
