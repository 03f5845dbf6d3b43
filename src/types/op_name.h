// What an operation is called wherever people and programs read of it.
#pragma once

#include <optional>
#include <string_view>

#include "freshet/row.h"

namespace freshet {

/// "insert", "update", "delete", "upsert".
std::string_view to_string(Op op) noexcept;
std::optional<Op> parse_op(std::string_view text) noexcept;

}  // namespace freshet
