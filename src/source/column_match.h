// Which columns a Relation message means. It names them in the order of their attribute numbers,
// but does not tell the numbers, and by the time anybody asks the catalogue may be far ahead of it.
#pragma once

#include <cstdint>
#include <vector>

#include "freshet/schema.h"

namespace freshet::source {

struct CatalogColumn {
  Column column;
  bool is_generated = false;
};

/// A table's columns by attribute number, and the highest number that any has ever had.
struct ColumnList {
  std::vector<CatalogColumn> columns;
  std::int16_t highest = 0;
};

/// One column announced.
struct MatchedColumn {
  std::int16_t attnum = 0;
  const Column* known = nullptr;  ///< In the catalogue or before; null: no more than its number.
  bool is_as_before = false;      ///< By name and type.
  bool is_as_now = false;
};

/// For each column of `announced` the one that it is, where there is only one way to number them:
/// in order; all that were there before and still are; of those that came since, none without the
/// ones that came before it; and with as many as possible under a name and type that is known for
/// the number. Empty where nobody knows. Without `previous` (it may be null), and for columns that
/// were not announced before, a publication may have left columns out. Points into `previous` and
/// `present`. Pure.
std::vector<MatchedColumn> match_columns(const TableSchema& announced,
                                         const TableSchema* previous,
                                         const ColumnList& present);

}  // namespace freshet::source
