// The null destination: every value is read, counted and summed, none is kept. For benchmarks.
#pragma once

#include <memory>

#include "freshet/config.h"
#include "freshet/destination.h"

namespace freshet {

/// Keeps no position: what was written is at once durable, and the state store remembers how far.
Result<std::unique_ptr<Destination>> make_null_destination(const DestinationConfig& config);

}  // namespace freshet
