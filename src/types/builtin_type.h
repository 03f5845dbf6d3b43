// Which types came with the server.
#pragma once

#include "freshet/schema.h"

namespace freshet {

/// True below FirstNormalObjectId: such a type has this number on every server.
constexpr bool is_builtin(Oid type) noexcept {
  return to_integer(type) < 16384;
}

}  // namespace freshet
