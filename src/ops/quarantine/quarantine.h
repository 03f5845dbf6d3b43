// `freshet quarantine`: what waits at a pipeline's destinations, and what becomes of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "destinations/postgres/quarantine_replay.h"
#include "destinations/postgres/quarantined.h"
#include "freshet/config.h"
#include "freshet/result.h"

namespace freshet::ops {

/// What is meant of it; all by default.
struct QuarantineQuery {
  std::string destination;
  std::string table;  ///< As the configuration writes it.
  std::optional<std::uint64_t> id;
  std::uint64_t limit = 1000;  ///< Entries shown per destination.
};

template <typename T>
struct AtDestination {
  std::string destination;
  T found;
};

template <typename T>
using AtDestinations = std::vector<AtDestination<T>>;

using QuarantineList = AtDestinations<std::vector<postgres::QuarantineSummary>>;
using QuarantineEntries = AtDestinations<std::vector<postgres::QuarantineEntry>>;
using ReplayOutcomes = AtDestinations<postgres::ReplayOutcome>;

/// All of them look at PostgreSQL destinations alone, and fail with `config` where the query names
/// no destination that is one, or an id while it leaves open which of several is meant.
Result<QuarantineList> list_quarantine(const PipelineConfig& config, const QuarantineQuery& query);
Result<QuarantineEntries> show_quarantine(const PipelineConfig& config,
                                          const QuarantineQuery& query);
/// The pipeline need not run, and may.
Result<ReplayOutcomes> replay_quarantine(const PipelineConfig& config,
                                         const QuarantineQuery& query);
/// How many entries went, by destination.
Result<AtDestinations<std::uint64_t>> drop_quarantine(const PipelineConfig& config,
                                                      const QuarantineQuery& query);

/// For people: lines; stable JSON otherwise (docs/conflicts.md).
std::vector<std::string> to_lines(const QuarantineList& list);
std::vector<std::string> to_lines(const QuarantineEntries& entries);
std::vector<std::string> to_lines(const ReplayOutcomes& outcomes);
std::string to_json(const QuarantineList& list);
std::string to_json(const QuarantineEntries& entries);
std::string to_json(const ReplayOutcomes& outcomes);

}  // namespace freshet::ops
