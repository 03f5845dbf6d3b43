// Values that the server could not send.
#pragma once

#include "freshet/config.h"
#include "freshet/result.h"
#include "ops/check/finding.h"
#include "pg/connection.h"

namespace freshet::ops {

/// As text a bytea takes twice its size, and the server cannot send what passes 1 GiB: warns of
/// tables that hold such rows, unless values come in binary. Looks at the sizes only, for two
/// seconds at most in each table.
Status report_large_bytea(pg::Connection& source, const PipelineConfig& config, Findings& findings);

}  // namespace freshet::ops
