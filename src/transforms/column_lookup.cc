#include "transforms/column_lookup.h"

#include <string>
#include <vector>

#include "base/nearest.h"
#include "types/binary_form.h"

namespace freshet {
namespace {

std::string_view nearest_column(const TableSchema& schema, std::string_view wanted) {
  std::vector<std::string_view> names;
  for (const Column& column : schema.columns)
    names.push_back(column.name);
  return find_nearest(wanted, names);
}

}  // namespace

Result<std::size_t> get_column(const TableSchema& schema, std::string_view column) {
  if (const int found = schema.find(column); found >= 0) return static_cast<std::size_t>(found);
  Error error = Error{ErrorKind::config, "transform names a column that the table does not have"}
                    .with("table", to_string(schema.name))
                    .with("column", column);
  const std::string_view nearest = nearest_column(schema, column);
  if (nearest.empty()) return error;
  return std::move(error).fix("did you mean `" + std::string(nearest) + "`?");
}

Result<std::string_view> text_form(const Value& value, const Column& column) {
  if (kind_of(value, column.type) == ValueKind::text) return value.view();
  return Error{ErrorKind::unsupported, "a transform needs the text form of a binary value"}
      .with("column", column.name)
      .with("type", column.type_sql);
}

}  // namespace freshet
