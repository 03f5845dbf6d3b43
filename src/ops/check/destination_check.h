// Can these destinations, embedders and this state be written to?
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "destinations/postgres/schema.h"
#include "freshet/config.h"
#include "ops/check/finding.h"

namespace freshet::ops {

/// Dimension of each embedder's vectors; absent where it could not be found out.
using EmbedderDimensions = std::map<std::string, std::size_t>;

/// Opens each embedder's files, or asks its server for one vector.
EmbedderDimensions check_embedders(const PipelineConfig& config, Findings& findings);

void check_destination(const DestinationConfig& destination,
                       const PipelineConfig& config,
                       const EmbedderDimensions& dimensions,
                       Findings& findings);

/// The state's place can be written; says who runs the pipeline now.
void check_state(const PipelineConfig& config, Findings& findings);

/// What destination_facts.sql says.
struct DestinationFacts {
  bool is_standby = false;
  bool is_read_only = false;
  bool can_create_schema = false;
  bool has_freshet_schema = false;
  bool can_use_freshet = false;
  bool has_records = false;
  bool can_install_vector = false;
  std::string role;
  std::string database;
  std::string vector_available;
  std::string vector_installed;
};

/// What stands at the destination under a table's name.
struct TargetFacts {
  TableName name;
  bool has_schema = false;
  bool can_create = false;
  bool is_found = false;
  bool can_write = false;
  bool has_rows = false;
  bool is_recorded = false;  ///< This pipeline's own.
  char kind = 'r';
  char persistence = 'p';
  std::map<std::string, std::string> columns;     ///< Name to type.
  std::optional<postgres::FoundTrigger> trigger;  ///< One that the pipeline would fire.
};

/// Pure.
void judge_destination(const DestinationFacts& facts,
                       const DestinationConfig& destination,
                       const PipelineConfig& config,
                       Findings& findings);
/// Pure.
void judge_target(const TargetFacts& target,
                  const DestinationFacts& facts,
                  const DestinationConfig& destination,
                  const PipelineConfig& config,
                  const EmbedderDimensions& dimensions,
                  Findings& findings);

}  // namespace freshet::ops
