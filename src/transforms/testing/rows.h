// Builds schemas and changes for the tests of transforms.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "freshet/row.h"
#include "freshet/schema.h"

namespace freshet::testing {

/// A table `public.people` with columns of type text.
inline TableSchema people(const std::vector<std::string>& columns) {
  TableSchema schema;
  schema.name = {.schema = "public", .table = "people"};
  for (const std::string& name : columns) {
    Column column;
    column.name = name;
    column.type = Oid{25};
    column.type_sql = "text";
    schema.columns.push_back(std::move(column));
  }
  return schema;
}

inline Value text(std::string_view bytes) {
  return Value::text(bytes);
}

/// Owns the rows of changes.
class Changes {
 public:
  void insert(std::vector<Value> after) { add(Op::insert, {}, std::move(after)); }

  void update(std::vector<Value> before, std::vector<Value> after, OldRow old_row = OldRow::none) {
    add(Op::update, std::move(before), std::move(after));
    changes_.back().old_row = old_row;
  }

  void remove(std::vector<Value> before) { add(Op::remove, std::move(before), {}); }

  std::span<Change> all() { return changes_; }

  const Change& operator[](std::size_t at) const { return changes_[at]; }

 private:
  void add(Op op, std::vector<Value> before, std::vector<Value> after) {
    Change change;
    change.op = op;
    change.before = keep(std::move(before));
    change.after = keep(std::move(after));
    change.id = {.commit = Lsn{0x1000}, .ordinal = changes_.size()};
    changes_.push_back(change);
  }

  RowView keep(std::vector<Value> row) { return rows_.emplace_back(std::move(row)); }

  std::deque<std::vector<Value>> rows_;
  std::vector<Change> changes_;
};

}  // namespace freshet::testing
