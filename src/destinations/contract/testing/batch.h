// Builds changes for tests, owning their bytes.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "freshet/destination.h"

namespace freshet::testing_rows {

/// A value of a test row: text, NULL or unchanged.
struct Cell {
  Cell(const char* value) : text(value), kind(ValueKind::text) {}  // NOLINT

  Cell(std::string value) : text(std::move(value)), kind(ValueKind::text) {}  // NOLINT

  Cell(std::nullptr_t) : kind(ValueKind::null) {}  // NOLINT

  static Cell unchanged() {
    Cell cell(nullptr);
    cell.kind = ValueKind::unchanged;
    return cell;
  }

  std::string text;
  ValueKind kind;
};

using Cells = std::vector<Cell>;

/// The changes of one transaction to one table.
class Batch {
 public:
  explicit Batch(SchemaPtr schema, std::uint64_t end_lsn = 0) : schema_(std::move(schema)) {
    transaction_.end_lsn = Lsn{end_lsn};
    transaction_.commit_lsn = Lsn{end_lsn == 0 ? 0 : end_lsn - 8};
    transaction_.xid = Xid{static_cast<std::uint32_t>(end_lsn)};
    transaction_.committed_at = SourceTime{700'000'000'000'000};
  }

  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  Batch& insert(const Cells& after) { return add(Op::insert, OldRow::none, {}, after); }

  Batch& upsert(const Cells& after) { return add(Op::upsert, OldRow::none, {}, after); }

  Batch& update(const Cells& after) { return add(Op::update, OldRow::none, {}, after); }

  Batch& update(OldRow kind, const Cells& before, const Cells& after) {
    return add(Op::update, kind, before, after);
  }

  Batch& remove(OldRow kind, const Cells& before) { return add(Op::remove, kind, before, {}); }

  const std::vector<Change>& changes() const { return changes_; }

  const SchemaPtr& schema() const { return schema_; }

  Position position() const { return {transaction_.end_lsn}; }

  Run run() const {
    Run run;
    run.schema = schema_;
    run.changes = changes_;
    return run;
  }

 private:
  Batch& add(Op op, OldRow old_row, const Cells& before, const Cells& after) {
    Change change;
    change.op = op;
    change.old_row = old_row;
    change.before = row(before);
    change.after = row(after);
    change.id = {.commit = transaction_.commit_lsn, .ordinal = changes_.size()};
    change.lsn = transaction_.commit_lsn;
    change.transaction = to_integer(transaction_.end_lsn) == 0 ? nullptr : &transaction_;
    changes_.push_back(change);
    return *this;
  }

  RowView row(const Cells& cells) {
    std::vector<Value>& values = rows_.emplace_back();
    for (const Cell& cell : cells) {
      const std::string& text = texts_.emplace_back(cell.text);
      Value value = Value::text(text);
      value.kind = cell.kind;
      values.push_back(value);
    }
    return values;
  }

  SchemaPtr schema_;
  TransactionInfo transaction_;
  std::deque<std::string> texts_;
  std::deque<std::vector<Value>> rows_;
  std::vector<Change> changes_;
};

/// A table whose first column is an int4 primary key and whose others are text.
SchemaPtr text_table(const TableName& name,
                     const std::vector<std::string>& columns,
                     ReplicaIdentity identity = ReplicaIdentity::standard);

}  // namespace freshet::testing_rows
