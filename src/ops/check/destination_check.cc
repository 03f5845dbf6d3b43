#include "ops/check/destination_check.h"

#include <unistd.h>

#include <filesystem>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/sql_quote.h"
#include "base/try.h"
#include "destinations/postgres/object_maker.h"
#include "destinations/postgres/session.h"
#include "ops/check/connection_check.h"
#include "ops/check/local_check.h"
#include "ops/check/named_row.h"
#include "ops/check/sql.h"
#include "ops/check/table_list_json.h"
#include "ops/connect.h"
#include "pipeline/connection_budget.h"

namespace freshet::ops {
namespace {

char letter(const std::string& text) {
  return text.empty() ? '\0' : text[0];
}

Result<DestinationFacts> load_destination_facts(pg::Connection& connection) {
  FRESHET_TRY(const pg::Rows rows, connection.query(sql::kSqlDestinationFacts));
  const NamedRow row(rows, 0);
  DestinationFacts facts;
  facts.is_standby = row.flag("is_standby");
  facts.is_read_only = row.flag("is_read_only");
  facts.can_create_schema = row.flag("can_create_schema");
  facts.has_freshet_schema = row.flag("has_freshet_schema");
  facts.can_use_freshet = row.flag("can_use_freshet");
  facts.has_records = row.flag("has_records");
  facts.can_install_vector = row.flag("can_install_vector");
  facts.role = row.text("role_name");
  facts.database = row.text("database_name");
  facts.vector_available = row.text("vector_available");
  facts.vector_installed = row.text("vector_installed");
  return facts;
}

Result<std::set<TableName>> load_recorded(pg::Connection& connection,
                                          const DestinationFacts& facts,
                                          const std::string& pipeline) {
  std::set<TableName> recorded;
  if (!facts.has_records) return recorded;
  const std::optional<std::string_view> parameter{pipeline};
  FRESHET_TRY(const pg::Rows rows,
              connection.query("SELECT schema, \"table\" FROM freshet.tables WHERE pipeline = $1",
                               {&parameter, 1}));
  for (int i = 0; i < rows.rows(); ++i)
    recorded.insert({rows.string(i, 0), rows.string(i, 1)});
  return recorded;
}

std::map<std::string, std::string> read_columns(const std::string& text) {
  std::map<std::string, std::string> columns;
  const auto json = nlohmann::json::parse(text, nullptr, false);
  for (const auto& [name, type] : json.items()) {
    if (type.is_string()) columns[name] = type.get<std::string>();
  }
  return columns;
}

Result<std::vector<TargetFacts>> load_targets(pg::Connection& connection,
                                              const DestinationFacts& facts,
                                              const PipelineConfig& config) {
  FRESHET_TRY(const std::set<TableName> recorded,
              load_recorded(connection, facts, config.pipeline));
  std::vector<TableName> names;
  for (const TableConfig& table : config.source.tables)
    names.push_back(table.name);
  const std::string list = to_json(names);
  const std::optional<std::string_view> parameter{list};
  FRESHET_TRY(const pg::Rows rows, connection.query(sql::kSqlTargetFacts, {&parameter, 1}));
  FRESHET_TRY(const auto states, postgres::find_states(connection, names));
  std::vector<TargetFacts> targets;
  for (int i = 0; i < rows.rows(); ++i) {
    const NamedRow row(rows, i);
    TargetFacts target;
    target.name = {row.text("schema"), row.text("name")};
    target.has_schema = row.flag("has_schema");
    target.can_create = row.flag("can_create");
    target.is_found = row.flag("is_found");
    target.can_write = row.flag("can_write");
    target.kind = letter(row.text("kind"));
    target.persistence = letter(row.text("persistence"));
    target.columns = read_columns(row.text("columns"));
    if (const auto& state = states[static_cast<std::size_t>(i)]; state)
      target.trigger = state->trigger;
    target.is_recorded = recorded.contains(target.name);
    if (target.can_write && (target.kind == 'r' || target.kind == 'p')) {
      const auto found =
          connection.query(fmt::format("SELECT EXISTS (SELECT FROM {})",
                                       postgres::own_rows_sql(target.name, target.kind == 'p')));
      target.has_rows = found.ok() && found->boolean(0, 0);
    }
    targets.push_back(std::move(target));
  }
  return targets;
}

// What `schema: full` could not make, and why.
Status report_objects(pg::Connection& connection,
                      const DestinationConfig& destination,
                      const std::string& pipeline,
                      Findings& findings) {
  if (destination.schema != DestinationSchema::full) return ok_status();
  if (!postgres::try_replica_role(connection).ok()) {
    const Error told = postgres::without_foreign_keys();
    findings.warning(Area::destination, "foreign_keys", told.message(),
                     fmt::format("destination {}", destination.name), told.fix());
  }
  FRESHET_TRY(const pg::Rows kept,
              connection.query("SELECT to_regclass('freshet.table_objects') IS NOT NULL"));
  if (!kept.boolean(0, 0)) return ok_status();
  const std::optional<std::string_view> parameter{pipeline};
  FRESHET_TRY(const pg::Rows rows, connection.query(sql::kSqlMissingObjects, {&parameter, 1}));
  for (int i = 0; i < rows.rows(); ++i) {
    const std::string table = to_string(TableName{rows.string(i, 0), rows.string(i, 1)});
    const std::string object = fmt::format("{} {}", rows.text(i, 2), rows.text(i, 3));
    if (rows.is_null(i, 4)) {
      findings.info(Area::destination, "schema_object", object + " is not made yet", table,
                    "the pipeline makes it while it runs; where it does not come, its log "
                    "says what it waits for");
      continue;
    }
    findings.warning(Area::destination, "schema_object",
                     fmt::format("{} was not made: {}", object, rows.text(i, 4)), table,
                     rows.text(i, 2) == "sequence value"
                         ? "mend that, then have the table copied again: freshet table resync"
                         : "mend that, then start the pipeline again");
  }
  return ok_status();
}

void check_postgres(const DestinationConfig& destination,
                    const PipelineConfig& config,
                    const EmbedderDimensions& dimensions,
                    Findings& findings) {
  const std::string where = fmt::format("destination {}", destination.name);
  const auto fail = [&](const Error& error) {
    findings.error(Area::destination, "connection", error.describe(), where, error.fix());
  };
  const auto connection = connect(destination.url, "freshet check");
  if (!connection.ok()) return fail(connection.error());
  const auto facts = load_destination_facts(**connection);
  if (!facts.ok()) return fail(facts.error());
  judge_destination(*facts, destination, config, findings);
  const auto room = pg::look_at_connection_room(**connection, application_name(config.pipeline));
  if (!room.ok()) return fail(room.error());
  judge_connections(*room, kSessionsBesideCopyAtDestination, config.source.copy.connections,
                    Area::destination, where, findings);
  if (Status status = report_objects(**connection, destination, config.pipeline, findings);
      !status.ok()) {
    return fail(status.error());
  }
  postgres::set_replica_role(**connection, destination.name);
  const auto targets = load_targets(**connection, *facts, config);
  if (!targets.ok()) return fail(targets.error());
  for (const TargetFacts& target : *targets) {
    judge_target(target, *facts, destination, config, dimensions, findings);
  }
}

}  // namespace

void check_destination(const DestinationConfig& destination,
                       const PipelineConfig& config,
                       const EmbedderDimensions& dimensions,
                       Findings& findings) {
  if (destination.url.starts_with("postgres")) {
    return check_postgres(destination, config, dimensions, findings);
  }
  constexpr std::string_view kFileScheme = "jsonl:";
  if (!destination.url.starts_with(kFileScheme) || destination.url == "jsonl:-") return;
  check_writable(destination.url.substr(kFileScheme.size()), Area::destination,
                 fmt::format("destination {}", destination.name), findings);
}

}  // namespace freshet::ops
