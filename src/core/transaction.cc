#include "core/transaction.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/try.h"
#include "core/pgoutput/decoder.h"

namespace freshet {
namespace {

constexpr std::uint8_t kCascadeFlag = 1;
constexpr std::uint8_t kRestartIdentityFlag = 2;

Error damaged() {
  return Error{ErrorKind::storage, "a spilled transaction did not come back as it was written"}.fix(
      "check the disk that holds the spill directory, then start again: the server resends it");
}

}  // namespace

/// Turns one chunk into a piece. Its checks can only fail if a spill file was damaged: what came
/// from the server was judged when it was added.
class PieceFiller {
 public:
  PieceFiller(Piece& piece, const Transaction& transaction, const ChunkCounts& counts)
      : piece_(piece), transaction_(transaction), content_(transaction.content_), counts_(counts) {
    // Everything is sized before the first view is taken: nothing may move after that.
    piece_.items_.clear();
    piece_.changes_.clear();
    piece_.changes_.reserve(counts.rows);
    piece_.truncated_.clear();
    piece_.truncated_.reserve(counts.truncated_tables);
    if (piece_.values_.size() < counts.values) piece_.values_.resize(counts.values);
    free_values_ = piece_.values_;
  }

  /// Returns the ordinal that comes next.
  Result<std::uint64_t> fill(std::string_view bytes, std::uint64_t ordinal) {
    for (std::uint32_t i = 0; i < counts_.records; ++i) {
      const std::optional<Record> record = take_record(bytes);
      if (!record) return damaged();
      if (is_aborted(record->header.subxid)) continue;
      if (record->header.type == 'T') {
        FRESHET_TRY(add_truncate(*record));
      } else if (record->header.type == 'M') {
        FRESHET_TRY(add_message(*record));
      } else if (record->header.type == 'R') {
        FRESHET_TRY(add_definition(*record));
      } else {
        FRESHET_TRY(add_row(*record, ordinal++));
      }
    }
    return ordinal;
  }

 private:
  bool is_aborted(Xid subxid) {
    if (content_.aborted.empty()) return false;
    if (subxid != last_subxid_) {
      last_subxid_ = subxid;
      last_is_aborted_ =
          std::binary_search(content_.aborted.begin(), content_.aborted.end(), subxid);
    }
    return last_is_aborted_;
  }

  Status add_row(const Record& record, std::uint64_t ordinal) {
    if (record.header.schema_index >= content_.schemas.size()) return damaged();
    if (piece_.changes_.size() == counts_.rows) return damaged();
    const Result<pgoutput::RowChange> row =
        pgoutput::read_row(record.header.type, record.payload, free_values_);
    if (!row) return damaged();
    const SchemaPtr& schema = content_.schemas[record.header.schema_index];
    const std::size_t columns = row->op == Op::remove ? row->before.size() : row->after.size();
    if (columns != schema->columns.size()) return damaged();
    free_values_ = free_values_.subspan(row->before.size() + row->after.size());
    piece_.changes_.push_back(Change{.op = row->op,
                                     .old_row = row->old_row,
                                     .before = row->before,
                                     .after = row->after,
                                     .id = {transaction_.info().commit_lsn, ordinal},
                                     .lsn = record.header.lsn,
                                     .transaction = &transaction_.info()});
    extend_run(schema);
    return ok_status();
  }

  /// Adds the last change to the last run, or to a new one if that is of another schema.
  void extend_run(const SchemaPtr& schema) {
    Change* change = &piece_.changes_.back();
    if (!piece_.items_.empty()) {
      Item& last = piece_.items_.back();
      if (last.kind == Item::Kind::rows && last.schema == schema) {
        last.changes = {last.changes.data(), last.changes.size() + 1};
        return;
      }
    }
    Item& item = piece_.items_.emplace_back();
    item.schema = schema;
    item.changes = {change, 1};
  }

  Status add_truncate(const Record& record) {
    std::string_view bytes = record.payload;
    if (bytes.empty() || (bytes.size() - 1) % sizeof(std::uint32_t) != 0) return damaged();
    const auto flags = static_cast<std::uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    const std::size_t first = piece_.truncated_.size();
    for (; !bytes.empty(); bytes.remove_prefix(sizeof(std::uint32_t))) {
      std::uint32_t index = 0;
      std::memcpy(&index, bytes.data(), sizeof(index));
      if (index >= content_.schemas.size()) return damaged();
      if (piece_.truncated_.size() == counts_.truncated_tables) return damaged();
      piece_.truncated_.push_back(content_.schemas[index]);
    }
    Item& item = piece_.items_.emplace_back();
    item.kind = Item::Kind::truncate;
    item.truncated = std::span<const SchemaPtr>{piece_.truncated_}.subspan(first);
    item.is_cascade = (flags & kCascadeFlag) != 0;
    item.restarts_identity = (flags & kRestartIdentityFlag) != 0;
    item.lsn = record.header.lsn;
    return ok_status();
  }

  Status add_message(const Record& record) {
    const Result<pgoutput::LogicalMessage> message =
        pgoutput::read_logical_message_body(record.payload);
    if (!message) return damaged();
    Item& item = piece_.items_.emplace_back();
    item.kind = Item::Kind::message;
    item.is_transactional = message->is_transactional;
    item.prefix = message->prefix;
    item.content = message->content;
    item.lsn = message->lsn;
    return ok_status();
  }

  Status add_definition(const Record& record) {
    if (record.header.schema_index >= content_.schemas.size()) return damaged();
    Item& item = piece_.items_.emplace_back();
    item.kind = Item::Kind::definition;
    item.schema = content_.schemas[record.header.schema_index];
    item.lsn = record.header.lsn;
    return ok_status();
  }

  Piece& piece_;
  const Transaction& transaction_;
  const TransactionContent& content_;
  const ChunkCounts& counts_;
  std::span<Value> free_values_;
  Xid last_subxid_{0};
  bool last_is_aborted_ = false;
};

Transaction::Transaction(const TransactionInfo& info, TransactionContent content)
    : info_(info), content_(std::move(content)) {}

TransactionReader::TransactionReader(std::shared_ptr<const Transaction> transaction)
    : transaction_(std::move(transaction)) {}

void Piece::clear() {
  items_.clear();
  truncated_.clear();
  changes_.clear();
  values_.clear();
  loaded_.clear();
  owner_.reset();
  byte_size_ = 0;
}

Result<bool> TransactionReader::next(Piece& piece) {
  const TransactionLog& log = transaction_->content_.log;
  piece.owner_ = transaction_;
  while (next_chunk_ < log.chunks().size()) {
    const TransactionLog::Chunk& chunk = log.chunks()[next_chunk_];
    FRESHET_TRY(const std::string_view bytes, log.load(next_chunk_, piece.loaded_));
    ++next_chunk_;
    PieceFiller filler{piece, *transaction_, chunk.counts};
    FRESHET_TRY(next_ordinal_, filler.fill(bytes, next_ordinal_));
    piece.byte_size_ =
        chunk.size + chunk.counts.values * sizeof(Value) + chunk.counts.rows * sizeof(Change);
    if (!piece.items_.empty()) return true;
  }
  piece.items_.clear();
  return false;
}

}  // namespace freshet
