// Where JSON lines go, as read from a destination's URL.
#pragma once

#include <string>

#include "freshet/config.h"
#include "freshet/result.h"

namespace freshet {

struct JsonlConfig {
  std::string path;  ///< Empty: standard output.
};

/// Reads `jsonl:PATH` or `jsonl:-`.
Result<JsonlConfig> parse_jsonl_config(const DestinationConfig& config);

}  // namespace freshet
