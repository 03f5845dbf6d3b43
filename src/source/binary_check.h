// Which columns cannot be followed with values in binary form.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "freshet/result.h"
#include "freshet/schema.h"
#include "pg/connection.h"

namespace freshet::source {

struct BinaryFault {
  Oid relation{0};
  std::string column;
  std::string type;          ///< The type within the column's that is in the way.
  bool has_no_form = false;  ///< Else it is numbered differently by every server.
};

/// Among all columns of the tables. Costs one query.
Result<std::vector<BinaryFault>> find_binary_faults(pg::Connection& connection,
                                                    std::span<const Oid> relations);

}  // namespace freshet::source
