#include "ops/check/check.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "base/error_policy.h"
#include "ops/check/adoption_check.h"
#include "ops/check/bytea_check.h"
#include "ops/check/copy_check.h"
#include "ops/check/destination_check.h"
#include "ops/check/source_check.h"
#include "ops/check/table_check.h"
#include "ops/connect.h"
#include "ops/discover/discover.h"
#include "source/publication.h"

namespace freshet::ops {
namespace {

void report(const Error& error, Area area, std::string id, std::string where, Findings& findings) {
  const std::string fix{error.fix().empty() ? advice_of(error) : std::string_view{error.fix()}};
  findings.error(area, std::move(id), error.describe(), std::move(where), fix);
}

// Without tables in the configuration: those of the publications, else all that can be read.
void find_tables(pg::Connection& connection, PipelineConfig& config, Findings& findings) {
  if (!config.source.tables.empty()) return;
  if (config.source.publications.empty()) {
    auto tables = discover_tables(config.source.url);
    if (!tables.ok())
      return report(tables.error(), Area::tables, "tables", "source.tables", findings);
    config.source.tables = *std::move(tables);
    return;
  }
  const auto names = source::list_published_tables(connection, config.source.publications);
  if (!names.ok()) return;  // a missing publication is reported by its own check
  for (const TableName& name : *names) {
    config.source.tables.push_back({.name = name, .columns = {}, .where = {}});
  }
}

void check_source(PipelineConfig& config, Findings& findings) {
  const auto connection = connect(config.source.url, "freshet check");
  if (!connection.ok()) {
    return report(connection.error(), Area::source, "connection", "source.url", findings);
  }
  const auto facts = load_source_facts(**connection, config);
  if (!facts.ok()) return report(facts.error(), Area::source, "catalogue", "source.url", findings);
  judge_source(*facts, config, findings);
  // Without the right the refusal is known; a try would only repeat it.
  const bool may_replicate =
      facts->is_superuser || facts->has_replication || facts->is_rds_replication;
  if (may_replicate && facts->senders_used < facts->senders_max) try_replication(config, findings);
  find_tables(**connection, config, findings);
  const auto tables = load_table_facts(**connection, config.source.tables);
  if (tables.ok()) {
    judge_tables(*tables, *facts, config, findings);
  } else {
    report(tables.error(), Area::tables, "catalogue", "source.tables", findings);
  }
  check_adoption(**connection, *facts, config, findings);
  check_filters(**connection, config, findings);
  check_copy_conditions(**connection, config, findings);
  report_copies(**connection, config, facts->is_standby, findings);
  if (Status status = report_large_bytea(**connection, config, findings); !status.ok()) {
    report(status.error(), Area::tables, "catalogue", "source.tables", findings);
  }
  if (Status status = check_publication(**connection, config, facts->is_standby, findings);
      !status.ok()) {
    report(status.error(), Area::source, "publication", "source.publications", findings);
  }
  if (Status status = report_ddl_capture(**connection, findings); !status.ok()) {
    report(status.error(), Area::source, "ddl_capture", "source.url", findings);
  }
  if (Status status = list_not_replicated(**connection, findings); !status.ok()) {
    report(status.error(), Area::source, "catalogue", "source.url", findings);
  }
}

}  // namespace

Findings check_pipeline(PipelineConfig config) {
  Findings findings;
  check_source(config, findings);
  const EmbedderDimensions dimensions = check_embedders(config, findings);
  for (const DestinationConfig& destination : config.destinations) {
    check_destination(destination, config, dimensions, findings);
  }
  Findings state;
  check_state(config, state);
  findings.append(state);
  return findings;
}

std::string to_json(const std::string& pipeline, const Findings& findings) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Finding& finding : findings.all()) {
    list.push_back({{"severity", to_string(finding.severity)},
                    {"area", to_string(finding.area)},
                    {"id", finding.id},
                    {"what", finding.what},
                    {"where", finding.where},
                    {"fix", finding.fix}});
  }
  const nlohmann::ordered_json report{{"pipeline", pipeline},
                                      {"ok", !findings.has_errors()},
                                      {"errors", findings.count(Severity::error)},
                                      {"warnings", findings.count(Severity::warning)},
                                      {"findings", std::move(list)}};
  return report.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace freshet::ops
