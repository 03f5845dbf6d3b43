// How will these tables be copied?
#pragma once

#include "freshet/config.h"
#include "ops/check/finding.h"
#include "pg/connection.h"

namespace freshet::ops {

/// Tells for each table the way that `run` would copy it, and why: `copy_chunked`, `copy_snapshot`
/// or `copy_none`. A warning where chunks are asked for and cannot be. Tables that cannot be looked
/// at are left to other checks.
void report_copies(pg::Connection& source,
                   const PipelineConfig& config,
                   bool is_standby,
                   Findings& findings);

}  // namespace freshet::ops
