// Rows without the values that the source did not send.
#pragma once

#include <cstdint>
#include <span>

#include "freshet/arena.h"
#include "freshet/row.h"

namespace freshet {

bool has_unchanged(RowView row) noexcept;
/// True if a value is in binary form.
bool has_binary(RowView row) noexcept;

/// `after` with what the old row tells about unchanged values: all of them under FULL, else those
/// of `key`. The result lives in `arena`, or is `after` itself.
RowView fill_unchanged(const Change& change, std::span<const std::uint16_t> key, Arena& arena);

/// `sent`, with the values of `base` where it has none.
RowView overlay(RowView base, RowView sent, Arena& arena);

/// The row of an update is not wanted any more: removes it by its old key, or by its key.
Change as_removal(const Change& change);
/// The new row as it is now, whatever was there. Values that were not sent stay unchanged.
Change as_upsert(const Change& change);

/// The new row of an update as an insert. Values that were not sent are taken from the old row
/// where that is whole, and lie in `arena` then; else they stay unchanged.
Change as_insert(const Change& change, Arena& arena);

}  // namespace freshet
