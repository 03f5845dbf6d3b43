#include "pipeline/connection_budget.h"

#include <algorithm>

namespace freshet {

std::uint32_t sessions_beside_copy(const PipelineConfig& config) {
  constexpr std::uint32_t kAlways = 5;
  const bool has_filter =
      std::any_of(config.source.tables.begin(), config.source.tables.end(),
                  [](const TableConfig& table) { return !table.where.empty(); });
  return kAlways + static_cast<std::uint32_t>(config.destinations.size()) + (has_filter ? 1 : 0);
}

std::uint32_t copy_sessions(const PipelineConfig& config, std::int64_t free) {
  const std::int64_t left = free - sessions_beside_copy(config);
  return static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(left, 1, config.source.copy.connections));
}

}  // namespace freshet
