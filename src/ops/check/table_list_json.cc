#include "ops/check/table_list_json.h"

#include <nlohmann/json.hpp>

namespace freshet::ops {

std::string to_json(std::span<const TableName> names) {
  auto list = nlohmann::json::array();
  for (const TableName& name : names)
    list.push_back({{"schema", name.schema}, {"name", name.table}});
  return list.dump();
}

}  // namespace freshet::ops
