// What is kept of a pipeline, read without making a state store that was not there.
#pragma once

#include "freshet/config.h"
#include "freshet/result.h"
#include "freshet/state_store.h"

namespace freshet::ops {

/// Empty if the pipeline never ran here.
Result<StoredPipeline> load_stored(const PipelineConfig& config);

/// The pipeline's slot: the one it made, else the one it would make.
std::string slot_name_of(const PipelineConfig& config, const StoredPipeline& stored);

/// True if that slot was made by somebody else, so that it is not ours to drop.
bool is_slot_adopted(const PipelineConfig& config, const StoredPipeline& stored);

}  // namespace freshet::ops
