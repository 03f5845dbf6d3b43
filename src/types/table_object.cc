#include "freshet/table_object.h"

#include <array>
#include <utility>

namespace freshet {
namespace {

constexpr std::array<std::pair<ObjectKind, std::string_view>, 10> kKinds{{
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
  for (const auto& [value, name] : kKinds) {
    if (value == kind) return name;
  }
  return "unknown";
}

std::optional<ObjectKind> parse_object_kind(std::string_view text) noexcept {
  for (const auto& [value, name] : kKinds) {
    if (name == text) return value;
  }
  return {};
}

}  // namespace freshet
