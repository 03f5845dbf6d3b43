// The names of what Freshet makes at a source, and of its sessions.
#include "freshet/config.h"

namespace freshet {

std::string default_object_name(const PipelineConfig& config) {
  return "freshet_" + config.pipeline;
}

std::string application_name(const std::string& pipeline) {
  return "freshet " + pipeline;
}

}  // namespace freshet
