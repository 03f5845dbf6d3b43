#include "source/binary_check.h"

#include <array>
#include <optional>
#include <string_view>

#include "base/try.h"
#include "pg/array_literal.h"
#include "source/sql/sql.h"

namespace freshet::source {

Result<std::vector<BinaryFault>> find_binary_faults(pg::Connection& connection,
                                                    std::span<const Oid> relations) {
  const std::string oids =
      pg::integer_array_literal(relations, [](Oid oid) { return to_integer(oid); });
  const std::array<std::optional<std::string_view>, 1> parameters{oids};
  FRESHET_TRY(const pg::Rows rows, connection.query(sql::kSqlBinaryFaults, parameters));
  std::vector<BinaryFault> faults;
  for (int row = 0; row < rows.rows(); ++row) {
    faults.push_back({.relation = rows.oid(row, 0),
                      .column = rows.string(row, 1),
                      .type = rows.string(row, 2),
                      .has_no_form = rows.boolean(row, 3)});
  }
  return faults;
}

}  // namespace freshet::source
