// How a column's values are written when they come in the binary form of their type.
#pragma once

#include <string>

#include "freshet/schema.h"

namespace freshet::postgres {

struct BinaryForm {
  std::string type_sql;    ///< What they are sent as; empty: they cannot be written.
  Oid type{0};             ///< Its number at the destination.
  Oid element{0};          ///< Put into arrays in place of the source's number; 0: it is the same.
  bool is_direct = false;  ///< It is the column's own type: COPY takes them.
  /// No array can carry it: there are none of arrays, and unnest() takes composites apart.
  bool goes_by_row = false;
};

}  // namespace freshet::postgres
