// A run's final statistics as a file.
#pragma once

#include <string>

#include "freshet/result.h"
#include "pipeline/stats.h"

namespace freshet {

/// Writes `stats` as one JSON object to `path`.
Status write_stats_report(const PipelineStats& stats, const std::string& path);

}  // namespace freshet
