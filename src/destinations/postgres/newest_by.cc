#include "destinations/postgres/newest_by.h"

namespace freshet::postgres {

Result<std::size_t> find_newest_by(const TableSchema& schema, const std::string& newest_by) {
  const int column = schema.find(newest_by);
  if (column >= 0) return static_cast<std::size_t>(column);
  return Error{ErrorKind::schema, "the table has no column of the name in newest_by"}
      .with("table", to_string(schema.name))
      .with("column", newest_by)
      .fix("name one that each table has, or give this table a pipeline of its own");
}

}  // namespace freshet::postgres
