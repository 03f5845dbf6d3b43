// ${NAME} in values.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace freshet {

/// Looks a variable up; nothing if it is not set.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
/// That of this process.
Environment process_environment();

struct Expansion {
  std::string text;
  bool has_variable = false;
  std::vector<std::string> unset;  ///< Names without a value.
  std::string malformed;           ///< What cannot be read, e.g. `${` without `}`; empty if none.
};

/// Replaces `${NAME}`; `$${` stands for `${`. A lone `$` stays. What comes in is not expanded
/// again.
Expansion expand_variables(std::string_view text, const Environment& environment);

}  // namespace freshet
