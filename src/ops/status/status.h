// `freshet status`: what a pipeline's state, its slot and its destinations say about it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "freshet/config.h"
#include "freshet/result.h"
#include "freshet/state_store.h"
#include "source/slot.h"

namespace freshet::ops {

struct PipelineStatus {
  std::string pipeline;
  StoredPipeline stored;
  /// Set iff the source answered.
  std::optional<Lsn> source_position;
  std::optional<source::SlotRow> slot;
  std::string source_error;
};

/// Reads the state; asks the source too, where it can be reached. Changes nothing.
Result<PipelineStatus> load_status(const PipelineConfig& config);

/// Bytes from `position` to the source's present one; nothing if that is unknown.
std::optional<std::uint64_t> lag_bytes(const PipelineStatus& status, Lsn position);

/// The stable form; docs/status.md describes each field.
std::string to_json(const PipelineStatus& status);
/// For people.
std::vector<std::string> to_lines(const PipelineStatus& status);

}  // namespace freshet::ops
