// Reads one scalar as the type that its key asks for.
#pragma once

#include <optional>
#include <string>

#include "config/environment.h"
#include "config/key.h"
#include "config/problem.h"

namespace freshet {

struct ScalarSource {
  const KeyDefinition& key;
  const std::string& text;
  Mark mark;
  const std::string& path;
};

/// Expands variables, then checks type and range. Nothing if something was wrong and reported; a
/// secret written out in the file is a warning.
std::optional<KeyValue> parse_scalar(const ScalarSource& source,
                                     const Environment& environment,
                                     Problems& problems);

}  // namespace freshet
