// A pipeline's state as one log line.
#pragma once

#include <string>

#include "cli/display/history.h"

namespace freshet {

/// How many tables are in which phase, e.g. `copying=2 streaming=5`; empty before there are any.
std::string describe_phases(const PipelineStats& stats);

/// Logs `progress` with phases, rows, rates, lag and positions.
void log_progress(const StatsHistory& history);

}  // namespace freshet
