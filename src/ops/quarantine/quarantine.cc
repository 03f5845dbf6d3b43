#include "ops/quarantine/quarantine.h"

#include <memory>
#include <utility>

#include "base/try.h"
#include "config/value_syntax.h"
#include "ops/connect.h"

namespace freshet::ops {
namespace {

bool keeps_quarantine(const DestinationConfig& destination) {
  return destination.url.starts_with("postgres");
}

Result<postgres::QuarantineFilter> filter_of(const QuarantineQuery& query) {
  postgres::QuarantineFilter filter{.table = {}, .id = query.id};
  if (query.table.empty()) return filter;
  filter.table = parse_table_name(query.table);
  if (!filter.table) {
    return Error{ErrorKind::config, "not a table's name"}
        .with("table", query.table)
        .fix("write it as the configuration does: `schema.table`");
  }
  return filter;
}

Result<std::vector<const DestinationConfig*>> destinations_of(const PipelineConfig& config,
                                                              const QuarantineQuery& query) {
  std::vector<const DestinationConfig*> found;
  for (const DestinationConfig& destination : config.destinations) {
    const bool is_meant = query.destination.empty() || query.destination == destination.name;
    if (is_meant && keeps_quarantine(destination)) found.push_back(&destination);
  }
  if (found.empty()) {
    return Error{ErrorKind::config, query.destination.empty()
                                        ? "the pipeline has no PostgreSQL destination"
                                        : "the pipeline has no such PostgreSQL destination"}
        .with("destination", query.destination);
  }
  if (query.id && found.size() > 1) {
    return Error{ErrorKind::config, "ids are counted at each destination"}.fix(
        "name one with --destination");
  }
  return found;
}

/// Calls `work(connection, filter)` for each destination that was ever set up.
template <typename T, typename Work>
Result<AtDestinations<T>> at_each(const PipelineConfig& config,
                                  const QuarantineQuery& query,
                                  Work&& work) {
  FRESHET_TRY(const postgres::QuarantineFilter filter, filter_of(query));
  FRESHET_TRY(const auto destinations, destinations_of(config, query));
  AtDestinations<T> all;
  for (const DestinationConfig* destination : destinations) {
    FRESHET_TRY(auto connection,
                connect(destination->url, application_name(config.pipeline) + " quarantine"));
    FRESHET_TRY(const bool is_there, postgres::has_quarantine(*connection));
    AtDestination<T>& here = all.emplace_back(destination->name, T{});
    if (!is_there) continue;
    FRESHET_TRY(here.found, work(std::move(connection), filter));
  }
  return all;
}

using ConnectionPtr = std::unique_ptr<pg::Connection>;

}  // namespace

Result<QuarantineList> list_quarantine(const PipelineConfig& config, const QuarantineQuery& query) {
  return at_each<std::vector<postgres::QuarantineSummary>>(
      config, query, [&](const ConnectionPtr& connection, const auto& filter) {
        return postgres::summarize_quarantine(*connection, config.pipeline, filter);
      });
}

Result<QuarantineEntries> show_quarantine(const PipelineConfig& config,
                                          const QuarantineQuery& query) {
  return at_each<std::vector<postgres::QuarantineEntry>>(
      config, query, [&](const ConnectionPtr& connection, const auto& filter) {
        return postgres::load_quarantine(*connection, config.pipeline, filter, query.limit);
      });
}

Result<ReplayOutcomes> replay_quarantine(const PipelineConfig& config,
                                         const QuarantineQuery& query) {
  return at_each<postgres::ReplayOutcome>(
      config, query, [&](ConnectionPtr connection, const auto& filter) {
        return postgres::replay_quarantine(std::move(connection), config.pipeline, filter);
      });
}

Result<AtDestinations<std::uint64_t>> drop_quarantine(const PipelineConfig& config,
                                                      const QuarantineQuery& query) {
  return at_each<std::uint64_t>(
      config, query, [&](const ConnectionPtr& connection, const auto& filter) {
        return postgres::drop_quarantine(*connection, config.pipeline, filter);
      });
}

}  // namespace freshet::ops
