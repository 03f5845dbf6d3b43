// What `null:` is asked for.
#pragma once

#include <string>

#include "freshet/config.h"
#include "freshet/result.h"

namespace freshet {

struct NullConfig {
  std::string report_path;  ///< Where the counts go on close; empty: to the log.
};

/// Reads `null:` or `null:PATH`.
Result<NullConfig> parse_null_config(const DestinationConfig& config);

}  // namespace freshet
