// How many sessions a pipeline opens, held against how many there is room for.
#pragma once

#include <cstdint>

#include "freshet/config.h"

namespace freshet {

/// At the source, besides those that copy: the session that watches, the walsender, the two that
/// ask the catalogue, the one that holds a snapshot, and those that filter rows and read them again
/// for each destination.
std::uint32_t sessions_beside_copy(const PipelineConfig& config);

/// Those that copy: as many as the configuration wants, or as few as are `free` with the others
/// open; never none.
std::uint32_t copy_sessions(const PipelineConfig& config, std::int64_t free);

/// At a Postgres destination, besides those that copy: the one that applies, and the one that
/// builds indexes.
constexpr std::uint32_t kSessionsBesideCopyAtDestination = 2;

}  // namespace freshet
