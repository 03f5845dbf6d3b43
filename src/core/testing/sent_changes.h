// The changes of a transaction as a server sent them, and whether a transaction that was put
// together holds just these.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/try.h"
#include "core/pgoutput/testing/message_builder.h"
#include "core/transaction.h"

namespace freshet::testing {

/// A table as it was announced.
struct Shape {
  std::uint32_t oid = 0;
  std::string name{};
  std::size_t column_count = 0;
};

/// A change, a truncate, a message or a captured definition ('R'), as it was sent.
struct Step {
  char type = 'I';
  Lsn lsn{};
  std::uint32_t subxid = 0;
  Shape shape{};
  pgoutput::testing::Cells before{};
  pgoutput::testing::Cells after{};
  std::vector<Shape> tables{};
  unsigned flags = 0;
  std::string content{};
};

inline bool is_same(const Value& value, const pgoutput::testing::Cell& cell) {
  if (!cell) return value.is_null();
  if (cell == pgoutput::testing::kUnchanged) return value.is_unchanged();
  return value.kind == ValueKind::text && value.view() == *cell;
}

inline bool is_same(RowView row, const pgoutput::testing::Cells& cells) {
  return std::equal(
      row.begin(), row.end(), cells.begin(), cells.end(),
      [](const Value& value, const pgoutput::testing::Cell& cell) { return is_same(value, cell); });
}

inline bool is_same(const TableSchema& schema, const Shape& shape) {
  return to_integer(schema.relation) == shape.oid && schema.name.table == shape.name &&
         schema.columns.size() == shape.column_count;
}

/// Holds a transaction that was read against the model's, step by step.
class Comparison {
 public:
  Comparison(const Transaction& transaction, std::span<const Step> steps)
      : transaction_(transaction), steps_(steps) {}

  void run() {
    TransactionReader reader = transaction_.read();
    Piece piece;
    while (true) {
      const Result<bool> more = reader.next(piece);
      FRESHET_CHECK(more.ok());
      if (!*more) break;
      FRESHET_CHECK(!piece.items().empty());
      const Item* last = nullptr;
      for (const Item& item : piece.items()) {
        // Consecutive rows of one schema are one run.
        FRESHET_CHECK(last == nullptr || last->kind != Item::Kind::rows ||
                      item.kind != Item::Kind::rows || last->schema != item.schema);
        compare(item);
        last = &item;
      }
    }
    FRESHET_CHECK(steps_.empty() && piece.items().empty());
    piece.clear();
    FRESHET_CHECK(piece.byte_size() == 0);
    FRESHET_CHECK(ordinal_ == transaction_.change_count());
  }

 private:
  void compare(const Item& item) {
    if (item.kind == Item::Kind::rows) {
      FRESHET_CHECK(!item.changes.empty());
      for (const Change& change : item.changes)
        compare(change, *item.schema, take());
      return;
    }
    const Step& step = take();
    if (item.kind == Item::Kind::truncate) {
      FRESHET_CHECK(step.type == 'T' && item.lsn == step.lsn);
      FRESHET_CHECK(item.is_cascade == ((step.flags & 1) != 0));
      FRESHET_CHECK(item.restarts_identity == ((step.flags & 2) != 0));
      FRESHET_CHECK(std::equal(
          item.truncated.begin(), item.truncated.end(), step.tables.begin(), step.tables.end(),
          [](const auto& schema, const Shape& shape) { return is_same(*schema, shape); }));
      return;
    }
    if (item.kind == Item::Kind::definition) {
      FRESHET_CHECK(step.type == 'R' && item.lsn == step.lsn && is_same(*item.schema, step.shape));
      return;
    }
    FRESHET_CHECK(step.type == 'M' && item.content == step.content && item.prefix == "prefix");
    FRESHET_CHECK(item.is_transactional == (step.flags == 1));
  }

  void compare(const Change& change, const TableSchema& schema, const Step& step) {
    const char type = change.op == Op::insert ? 'I' : change.op == Op::update ? 'U' : 'D';
    FRESHET_CHECK(type == step.type && change.lsn == step.lsn && is_same(schema, step.shape));
    FRESHET_CHECK(is_same(change.before, step.before) && is_same(change.after, step.after));
    const ChangeId id{transaction_.info().commit_lsn, ordinal_++};
    FRESHET_CHECK(change.id == id && change.transaction == &transaction_.info());
  }

  const Step& take() {
    FRESHET_CHECK(!steps_.empty());
    const Step& step = steps_.front();
    steps_ = steps_.subspan(1);
    return step;
  }

  const Transaction& transaction_;
  std::span<const Step> steps_;  // Not yet read.
  std::uint64_t ordinal_ = 0;
};

/// Reads what a damaged spill file gives: rows that fit their schemas, or an error.
inline void read_damaged(const Transaction& transaction) {
  TransactionReader reader = transaction.read();
  Piece piece;
  volatile unsigned sum = 0;
  while (true) {
    const Result<bool> more = reader.next(piece);
    if (!more.ok()) FRESHET_CHECK(more.error().kind() == ErrorKind::storage);
    if (!more.ok() || !*more) return;
    for (const Item& item : piece.items()) {
      for (const Change& change : item.changes) {
        for (const RowView row : {change.before, change.after}) {
          FRESHET_CHECK(row.empty() || row.size() == item.schema->columns.size());
          for (const Value& value : row) {
            for (const char byte : value.view())
              sum = sum + static_cast<unsigned char>(byte);
          }
        }
      }
    }
  }
}

}  // namespace freshet::testing
