// `on_conflict: source_wins`: the destination's row goes, so that the source's fits.
#pragma once

#include <cstdint>

#include "destinations/postgres/target.h"
#include "freshet/result.h"
#include "freshet/row.h"
#include "pg/connection.h"

namespace freshet::postgres {

/// Removes the row that `conflict`, a broken unique index, says stands in the way of `change`. In
/// the open transaction. How many there were: none where something else is the matter.
Result<std::uint64_t> make_room(pg::Connection& connection,
                                const Target& target,
                                const Change& change,
                                const Error& conflict);

}  // namespace freshet::postgres
