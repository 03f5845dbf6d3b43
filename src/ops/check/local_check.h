// What can be written on this machine.
#pragma once

#include <string>

#include "ops/check/finding.h"

namespace freshet::ops {

/// Reports if `path` can be neither written nor created. Creates nothing.
void check_writable(const std::string& path,
                    Area area,
                    const std::string& where,
                    Findings& findings);

}  // namespace freshet::ops
