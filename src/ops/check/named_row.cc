#include "ops/check/named_row.h"

#include <nlohmann/json.hpp>

namespace freshet::ops {

std::string NamedRow::text(std::string_view column) const {
  for (int i = 0; i < rows_.columns(); ++i) {
    if (rows_.column_name(i) == column) return rows_.string(row_, i);
  }
  return {};
}

std::int64_t NamedRow::number(std::string_view column) const {
  for (int i = 0; i < rows_.columns(); ++i) {
    if (rows_.column_name(i) == column) return rows_.integer(row_, i);
  }
  return 0;
}

std::vector<std::string> NamedRow::list(std::string_view column) const {
  std::vector<std::string> items;
  const auto json = nlohmann::json::parse(text(column), nullptr, false);
  if (!json.is_array()) return items;
  for (const auto& item : json) {
    if (item.is_string()) items.push_back(item.get<std::string>());
  }
  return items;
}

}  // namespace freshet::ops
