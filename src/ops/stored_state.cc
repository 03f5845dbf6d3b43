#include "ops/stored_state.h"

#include <filesystem>
#include <string>

#include "base/try.h"
#include "state/open.h"

namespace freshet::ops {

Result<StoredPipeline> load_stored(const PipelineConfig& config) {
  constexpr std::string_view kScheme = "sqlite:";
  std::string path;
  if (config.state.empty()) {
    FRESHET_TRY(path, default_state_path(config.pipeline));
  } else if (config.state.starts_with(kScheme)) {
    path = config.state.substr(kScheme.size());
  }
  std::error_code code;
  if (path.empty() || !std::filesystem::exists(path, code)) return StoredPipeline{};
  FRESHET_TRY(const auto store, open_state_store(config.state, config.pipeline));
  return store->load(config.pipeline);
}

std::string slot_name_of(const PipelineConfig& config, const StoredPipeline& stored) {
  if (stored.slot) return stored.slot->slot_name;
  return config.source.slot.empty() ? default_object_name(config) : config.source.slot;
}

}  // namespace freshet::ops
