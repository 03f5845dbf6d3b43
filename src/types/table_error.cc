#include "types/table_error.h"

#include <utility>

namespace freshet {

Error naming(Error error, const TableName& table) {
  if (error.find("table").empty()) error.add("table", to_string(table));
  return error;
}

Status naming(Status status, const TableName& table) {
  return status.ok() ? status : Status{naming(std::move(status).error(), table)};
}

}  // namespace freshet
