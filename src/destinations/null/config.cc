#include "destinations/null/config.h"

#include <string_view>

namespace freshet {

Result<NullConfig> parse_null_config(const DestinationConfig& config) {
  constexpr std::string_view kScheme = "null:";
  if (!config.url.starts_with(kScheme)) {
    return Error{ErrorKind::config, "the null destination's URL is not understood"}
        .with("destination", config.name)
        .fix("use null:, or null:PATH for a report");
  }
  return NullConfig{.report_path = config.url.substr(kScheme.size())};
}

}  // namespace freshet
