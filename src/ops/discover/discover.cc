#include "ops/discover/discover.h"

#include "base/try.h"
#include "ops/connect.h"
#include "ops/discover/sql.h"

namespace freshet::ops {

Result<std::vector<TableConfig>> discover_tables(const std::string& url) {
  FRESHET_TRY(const auto connection, connect(url, "freshet discover"));
  FRESHET_TRY(const pg::Rows rows, connection->query(sql::kSqlUserTables));
  std::vector<TableConfig> tables;
  for (int i = 0; i < rows.rows(); ++i) {
    tables.push_back({.name = {rows.string(i, 0), rows.string(i, 1)}, .columns = {}, .where = {}});
  }
  if (tables.empty()) {
    return Error{ErrorKind::setting, "the source has no table that this role can read"}.fix(
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO the role, or connect to another database");
  }
  return tables;
}

}  // namespace freshet::ops
