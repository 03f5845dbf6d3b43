#include "ops/stored_state.h"

#include "base/try.h"
#include "state/open.h"

namespace freshet::ops {

Result<StoredPipeline> load_stored(const PipelineConfig& config) {
  FRESHET_TRY(const auto store, find_state_store(config.state, config.pipeline));
  if (!store) return StoredPipeline{};
  return store->load(config.pipeline);
}

std::string slot_name_of(const PipelineConfig& config, const StoredPipeline& stored) {
  if (stored.slot) return stored.slot->slot_name;
  return config.source.slot.empty() ? default_object_name(config) : config.source.slot;
}

bool is_slot_adopted(const PipelineConfig& config, const StoredPipeline& stored) {
  return stored.slot ? stored.slot->is_adopted() : config.source.adopts_slot;
}

}  // namespace freshet::ops
