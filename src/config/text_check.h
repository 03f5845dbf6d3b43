// Tells text from bytes that were never meant to be a configuration.
#pragma once

#include <string_view>

#include "config/problem.h"

namespace freshet {

/// Reports the first byte that is a control character or not UTF-8, with its place. True if clean.
bool check_text(std::string_view bytes, Problems& problems);

}  // namespace freshet
