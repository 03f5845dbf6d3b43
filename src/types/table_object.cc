#include "freshet/table_object.h"

#include "base/enum_names.h"

namespace freshet {
namespace {

constexpr EnumNames<ObjectKind, 10> kKinds{{
    {ObjectKind::sequence, "sequence"},
    {ObjectKind::identity, "identity"},
    {ObjectKind::sequence_value, "sequence_value"},
    {ObjectKind::column_default, "default"},
    {ObjectKind::unique_index, "unique_index"},
    {ObjectKind::index, "index"},
    {ObjectKind::constraint, "constraint"},
    {ObjectKind::foreign_key, "foreign_key"},
    {ObjectKind::validation, "validation"},
    {ObjectKind::replica_identity, "replica_identity"},
}};

}  // namespace

std::string_view to_string(ObjectKind kind) noexcept {
  return find_name(kKinds, kind, "unknown");
}

std::optional<ObjectKind> parse_object_kind(std::string_view text) noexcept {
  return find_value(kKinds, text);
}

}  // namespace freshet
