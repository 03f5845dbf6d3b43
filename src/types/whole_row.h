// Rows without the values that the source did not send.
#pragma once

#include "freshet/arena.h"
#include "freshet/row.h"

namespace freshet {

bool has_unchanged(RowView row) noexcept;

/// The new row of an update as an insert. Values that were not sent are taken from the old row
/// where that is whole, and lie in `arena` then; else they stay unchanged.
Change as_insert(const Change& change, Arena& arena);

}  // namespace freshet
