// `on_conflict: source_wins` and `newest_wins`: the destination's row goes, so that the source's
// fits.
#pragma once

#include <cstdint>
#include <string>

#include "destinations/postgres/target.h"
#include "freshet/result.h"
#include "freshet/row.h"
#include "pg/connection.h"

namespace freshet::postgres {

enum class Room : std::uint8_t {
  none,   ///< Something else is the matter.
  made,   ///< What stood in the way is gone.
  taken,  ///< What stands in the way is as new, or newer.
};

/// Removes the row that `conflict`, a broken unique index, says stands in the way of `change`;
/// where a column `newest_by` is named, only if the change has a greater value there: NULL is less
/// than any. In the open transaction.
Result<Room> make_room(pg::Connection& connection,
                       const Target& target,
                       const Change& change,
                       const Error& conflict,
                       const std::string& newest_by);

}  // namespace freshet::postgres
