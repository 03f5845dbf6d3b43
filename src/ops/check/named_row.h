// One row of a result by its columns' names, as the .sql files give them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pg/rows.h"

namespace freshet::ops {

class NamedRow {
 public:
  NamedRow(const pg::Rows& rows, int row) : rows_(rows), row_(row) {}

  std::string text(std::string_view column) const;

  bool flag(std::string_view column) const { return text(column) == "t"; }

  std::int64_t number(std::string_view column) const;
  /// A JSON list of strings.
  std::vector<std::string> list(std::string_view column) const;

 private:
  const pg::Rows& rows_;
  int row_;
};

}  // namespace freshet::ops
