// What the parts of a configuration mean to each other.
#pragma once

#include "config/problem.h"
#include "config/reader.h"
#include "freshet/config.h"

namespace freshet {

/// Reports bad names, unknown embedders and tables, settings that contradict each other.
void check_references(const PipelineConfig& config, const KeyMarks& marks, Problems& problems);

}  // namespace freshet
