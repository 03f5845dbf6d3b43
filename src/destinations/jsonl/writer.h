// The JSON lines destination: one object per change, to a file or to standard output.
#pragma once

#include <memory>

#include "freshet/config.h"
#include "freshet/destination.h"

namespace freshet {

/// A file keeps its position and is locked while open; standard output keeps none, so that delivery
/// there is at least once. docs/destinations/jsonl.md describes the lines.
Result<std::unique_ptr<Destination>> make_jsonl_destination(const DestinationConfig& config);

}  // namespace freshet
