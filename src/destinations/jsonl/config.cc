#include "destinations/jsonl/config.h"

#include <string_view>

namespace freshet {

Result<JsonlConfig> parse_jsonl_config(const DestinationConfig& config) {
  constexpr std::string_view kScheme = "jsonl:";
  const std::string path =
      config.url.starts_with(kScheme) ? config.url.substr(kScheme.size()) : std::string{};
  if (path.empty()) {
    return Error{ErrorKind::config, "the jsonl destination has no path"}
        .with("destination", config.name)
        .fix("use jsonl:PATH, or jsonl:- for standard output");
  }
  return JsonlConfig{.path = path == "-" ? std::string{} : path};
}

}  // namespace freshet
