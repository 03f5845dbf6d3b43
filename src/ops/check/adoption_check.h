// `source.adopt_slot`: whether the first start will find the slot as it must be.
#pragma once

#include "freshet/config.h"
#include "ops/check/finding.h"
#include "ops/check/source_check.h"
#include "pg/connection.h"

namespace freshet::ops {

/// Says where streaming will begin, or why it cannot. Nothing once the slot was adopted.
void check_adoption(pg::Connection& connection,
                    const SourceFacts& facts,
                    const PipelineConfig& config,
                    Findings& findings);

}  // namespace freshet::ops
