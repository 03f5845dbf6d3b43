// Walks a YAML tree along the key definitions and stores what is well-formed.
#pragma once

#include <map>
#include <string>

#include "config/environment.h"
#include "config/problem.h"
#include "config/yaml_tree.h"
#include "freshet/config.h"

namespace freshet {

/// Where each key stands, by its full path: `transforms[0].embed.with`.
using KeyMarks = std::map<std::string, Mark>;

/// Reads `root` into `config`; reports unknown keys, wrong types, missing keys, values out of range
/// and variables that are not set. What keys mean to each other is checked by check_references.
KeyMarks read_config(const YamlNode& root,
                     const Environment& environment,
                     PipelineConfig& config,
                     Problems& problems);

}  // namespace freshet
