#include "transforms/column_lookup.h"

#include <algorithm>
#include <string>
#include <vector>

namespace freshet {
namespace {

constexpr std::size_t kNameBytesMax = 64;

// How many letters were left out, added, mistyped or swapped with their neighbour.
std::size_t letters_apart(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        cost[i][j] = i + j;
        continue;
      }
      const std::size_t mistyped = cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, mistyped});
      const bool is_swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (is_swap) cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  }
  return cost[a.size()][b.size()];
}

std::string nearest_column(const TableSchema& schema, std::string_view wanted) {
  std::string nearest;
  // Beyond a third of its letters a guess misleads.
  std::size_t least = std::max<std::size_t>(wanted.size(), 3) / 3 + 1;
  for (const Column& column : schema.columns) {
    const std::size_t apart = letters_apart(wanted.substr(0, kNameBytesMax), column.name);
    if (apart >= least) continue;
    least = apart;
    nearest = column.name;
  }
  return nearest;
}

// The types whose binary form is their text.
bool is_text_type(Oid type) {
  constexpr Oid kTypes[] = {Oid{25}, Oid{1043}, Oid{1042}, Oid{19}, Oid{114}, Oid{142}};
  return std::find(std::begin(kTypes), std::end(kTypes), type) != std::end(kTypes);
}

}  // namespace

Result<std::size_t> get_column(const TableSchema& schema, std::string_view column) {
  if (const int found = schema.find(column); found >= 0) return static_cast<std::size_t>(found);
  Error error = Error{ErrorKind::config, "transform names a column that the table does not have"}
                    .with("table", to_string(schema.name))
                    .with("column", column);
  const std::string nearest = nearest_column(schema, column);
  if (nearest.empty()) return error;
  return std::move(error).fix("did you mean `" + nearest + "`?");
}

Result<std::string_view> text_form(const Value& value, const Column& column) {
  if (value.kind == ValueKind::text || is_text_type(column.type)) return value.view();
  return Error{ErrorKind::unsupported, "a transform needs the text form of a binary value"}
      .with("column", column.name)
      .with("type", column.type_sql);
}

}  // namespace freshet
