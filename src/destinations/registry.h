// Finds the destination that a URL means.
#pragma once

#include <memory>
#include <string>

#include "freshet/config.h"
#include "freshet/destination.h"

namespace freshet {

/// Makes the destination of `config.url` by its scheme; connects to nothing yet. An unknown scheme
/// is an error of kind `config` that lists the known ones.
Result<std::unique_ptr<Destination>> make_destination(const DestinationConfig& config);

/// The known schemes, for messages: "jsonl:, null:, ...".
std::string known_destination_schemes();

}  // namespace freshet
