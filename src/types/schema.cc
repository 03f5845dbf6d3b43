#include "freshet/schema.h"

#include <algorithm>

namespace freshet {

std::string to_string(const TableName& name) {
  return name.schema + "." + name.table;
}

bool operator==(const Column& a, const Column& b) {
  const bool same_missing =
      (!a.missing_value && !b.missing_value) ||
      (a.missing_value && b.missing_value && *a.missing_value == *b.missing_value);
  return a.name == b.name && a.type == b.type && a.typmod == b.typmod && a.type_sql == b.type_sql &&
         a.attnum == b.attnum && a.is_not_null == b.is_not_null && a.is_identity == b.is_identity &&
         a.primary_key_place == b.primary_key_place && a.is_derived == b.is_derived &&
         a.is_builtin_type == b.is_builtin_type && a.is_byte_comparable == b.is_byte_comparable &&
         same_missing;
}

int TableSchema::find(std::string_view column) const noexcept {
  const auto found = std::find_if(columns.begin(), columns.end(), [&](const Column& candidate) {
    return candidate.name == column;
  });
  return found == columns.end() ? -1 : static_cast<int>(found - columns.begin());
}

bool TableSchema::has_key() const noexcept {
  if (identity != ReplicaIdentity::standard && identity != ReplicaIdentity::index) return false;
  return std::any_of(columns.begin(), columns.end(), [](const Column& c) { return c.is_identity; });
}

bool is_same_shape(const TableSchema& a, const TableSchema& b) {
  if (a.name != b.name || a.identity != b.identity) return false;
  return std::equal(a.columns.begin(), a.columns.end(), b.columns.begin(), b.columns.end(),
                    [](const Column& x, const Column& y) {
                      return x.name == y.name && x.attnum == y.attnum && x.type == y.type &&
                             x.typmod == y.typmod && x.primary_key_place == y.primary_key_place &&
                             x.is_identity == y.is_identity && x.is_derived == y.is_derived &&
                             (!x.is_derived || x.type_sql == y.type_sql);
                    });
}

}  // namespace freshet
