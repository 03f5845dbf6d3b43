// `freshet check`: looks at everything a pipeline will touch and changes nothing.
#pragma once

#include <string>

#include "freshet/config.h"
#include "ops/check/finding.h"

namespace freshet::ops {

/// Looks at source, tables, destinations, embedders and state; one failure does not hide others.
/// Tables are found as `run` would find them where none are named.
Findings check_pipeline(PipelineConfig config);

/// `{"pipeline", "ok", "errors", "warnings", "findings": [{severity, area, id, what, where, fix}]}`
std::string to_json(const std::string& pipeline, const Findings& findings);

}  // namespace freshet::ops
