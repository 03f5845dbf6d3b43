// The name of what Freshet makes at a source.
#include "freshet/config.h"

namespace freshet {

std::string default_object_name(const PipelineConfig& config) {
  return "freshet_" + config.pipeline;
}

}  // namespace freshet
