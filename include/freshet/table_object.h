// What belongs to a table besides columns and rows, and is in no stream: indexes, constraints,
// defaults, sequences.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "freshet/schema.h"

namespace freshet {

enum class ObjectKind : std::uint8_t {
  sequence,        ///< `other`, with the options `definition`; owned by the column `name`, if any.
  identity,        ///< Of the column `name`; `definition`: options of its sequence.
  sequence_value,  ///< `other` has come to `definition`; empty: it may not be read.
  column_default,  ///< Of the column `name`.
  unique_index,    ///< `definition` begins at USING, as for `index`.
  index,
  constraint,   ///< CHECK, UNIQUE, EXCLUDE.
  foreign_key,  ///< To the table `other`.
  validation,   ///< Of the constraint `name`, of a foreign key to `other` if that is not empty.
  replica_identity,
};

std::string_view to_string(ObjectKind kind) noexcept;
std::optional<ObjectKind> parse_object_kind(std::string_view text) noexcept;

struct TableObject {
  ObjectKind kind = ObjectKind::index;
  std::string name;  ///< Of the index, the constraint or the column.
  /// SQL as the source prints it, everything qualified: what follows the name in the statement.
  std::string definition;
  TableName other;
  /// Columns whose values it judges; empty for what takes any value.
  std::vector<std::int16_t> judged;
  friend bool operator==(const TableObject&, const TableObject&) = default;
};

}  // namespace freshet
