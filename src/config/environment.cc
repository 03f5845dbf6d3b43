#include "config/environment.h"

#include <algorithm>
#include <cstdlib>

namespace freshet {
namespace {

bool is_name(std::string_view name) {
  const auto is_word = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !name.empty() && (name[0] < '0' || name[0] > '9') &&
         std::all_of(name.begin(), name.end(), is_word);
}

}  // namespace

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return std::string{value};
  };
}

Expansion expand_variables(std::string_view text, const Environment& environment) {
  Expansion result;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::string_view rest = text.substr(at);
    if (rest.starts_with("$${")) {
      result.text += "${";
      at += 3;
    } else if (rest.starts_with("${")) {
      const std::size_t end = rest.find('}');
      const std::string name{rest.substr(2, end == std::string_view::npos ? end : end - 2)};
      if (end == std::string_view::npos || !is_name(name)) {
        result.malformed = "`${` is not followed by a variable's name and `}`";
        return result;
      }
      result.has_variable = true;
      if (const std::optional<std::string> value = environment(name)) {
        result.text += *value;
      } else {
        result.unset.push_back(name);
      }
      at += end + 1;
    } else {
      result.text += text[at++];
    }
  }
  return result;
}

}  // namespace freshet
