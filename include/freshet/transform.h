// The contract of a step between source and destination that changes rows.
#pragma once

#include <span>

#include "freshet/arena.h"
#include "freshet/result.h"
#include "freshet/row.h"
#include "freshet/schema.h"

namespace freshet {

/// Changes rows of one table, batch at a time, order kept. Deterministic: the same input gives the
/// same output, so that a replay writes the same values. Calls may come from several threads at
/// once.
class Transform {
 public:
  virtual ~Transform() = default;
  /// The table it works on.
  virtual const TableName& table() const = 0;
  /// What rows of `input` look like afterwards; an error (kind `config`) names a column that is
  /// missing.
  virtual Result<SchemaPtr> output_schema(const SchemaPtr& input) = 0;
  /// Rewrites the changes of one run. New values and rows are allocated in `arena`, which outlives
  /// the changes. `before` rows get the same shape as `after` rows.
  virtual Status apply(const TableSchema& input, std::span<Change> changes, Arena& arena) = 0;
};

}  // namespace freshet
