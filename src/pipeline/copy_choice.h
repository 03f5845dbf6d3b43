// How the rows that a table has come to the destinations, and why in that way. `run` goes by it and
// `check` tells it.
#pragma once

#include <optional>
#include <string>

#include "freshet/config.h"
#include "freshet/result.h"
#include "pipeline/table_plan.h"
#include "types/sort_key.h"

namespace freshet {

struct CopyChoice {
  CopyMode way = CopyMode::snapshot;  ///< chunked, snapshot or none.
  std::string reason;                 ///< A lower-case fact.
  bool is_as_asked = true;            ///< False if chunks were asked for and cannot be.
};

/// The key that a copy in chunks goes by, here and there. Nothing where there is none, or where the
/// destination's columns, which stay as they were under `ignore`, have other names.
std::optional<SortKeyCodec> chunk_codec(const Shape& shape);

/// What the configuration asks for: the table's own word, else the source's.
CopyMode wanted_copy(const CopyConfig& copy, const TableConfig& table);

/// What stands against chunks whatever the table.
struct ChunkConditions {
  bool destinations_keep_chunks = true;
  bool is_source_standby = false;
};

/// In chunks where the key allows it, every destination can keep them, and the table is large
/// enough for a kill or a long snapshot to hurt. Asks nobody.
Result<CopyChoice> choose_copy(CopyMode wanted,
                               const TablePlan& plan,
                               const ChunkConditions& conditions);

}  // namespace freshet
