#include "types/table_error.h"

namespace freshet {

Error naming(Error error, const TableName& table) {
  if (error.find("table").empty()) error.add("table", to_string(table));
  return error;
}

}  // namespace freshet
