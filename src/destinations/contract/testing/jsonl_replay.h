// Reads a file of JSON lines the way docs/destinations/jsonl.md tells readers to: up to the last
// position line, forgetting what was reset.
#pragma once

#include <string>
#include <vector>

#include "destinations/contract/testing/subject.h"
#include "freshet/schema.h"

namespace freshet {

/// The rows of one table after replaying the whole file.
std::vector<VisibleRow> replay_jsonl(const std::string& path, const TableSchema& schema);

}  // namespace freshet
