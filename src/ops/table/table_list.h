// How a table stands at a destination, in words, with what is wanted of it and has yet to happen.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "freshet/state_store.h"

namespace freshet::ops {

/// What is wanted of the table and has not come true there; nothing if nothing is.
std::optional<TableWish> waiting_wish(const StoredPipeline& stored, const TableState& table);

/// "public.t → main: streaming, to be paused".
std::string describe_table(const StoredPipeline& stored, const TableState& table);

/// A line for each table and destination, and for each table of `configured` that never began.
std::vector<std::string> list_tables(const StoredPipeline& stored,
                                     std::span<const TableName> configured);

}  // namespace freshet::ops
