// The pure half of the destination's check.
#include <algorithm>

#include <fmt/format.h>

#include "base/sql_quote.h"
#include "ops/check/destination_check.h"
#include "pipeline/copy_choice.h"

namespace freshet::ops {
namespace {

bool writes_vectors(const PipelineConfig& config) {
  for (const TransformConfig& transform : config.transforms) {
    if (transform.embed) return true;
  }
  return false;
}

bool is_copied(const TableName& name, const PipelineConfig& config) {
  const auto& tables = config.source.tables;
  const auto found = std::find_if(tables.begin(), tables.end(),
                                  [&](const TableConfig& table) { return table.name == name; });
  return found == tables.end() || wanted_copy(config.source.copy, *found) != CopyMode::none;
}

std::string at(const DestinationConfig& destination) {
  return fmt::format("destination {}", destination.name);
}

void judge_vector(const DestinationFacts& facts,
                  const DestinationConfig& destination,
                  Findings& findings) {
  if (!facts.vector_installed.empty()) return;
  if (facts.vector_available.empty()) {
    findings.error(Area::destination, "pgvector_missing",
                   "embeddings are written, but the server has no pgvector", at(destination),
                   "install pgvector on that server (Debian: apt install postgresql-NN-pgvector), "
                   "then CREATE EXTENSION vector");
  } else if (!facts.can_install_vector) {
    findings.error(
        Area::destination, "pgvector_not_created",
        fmt::format("pgvector is not set up in this database, and {} may not do it", facts.role),
        at(destination), "as a superuser: CREATE EXTENSION vector");
  }
}

}  // namespace

void judge_destination(const DestinationFacts& facts,
                       const DestinationConfig& destination,
                       const PipelineConfig& config,
                       Findings& findings) {
  const std::string role = quote_identifier(facts.role);
  if (facts.is_standby) {
    findings.error(
        Area::destination, "read_only", "the server is a standby", at(destination),
        "connect to the primary; with several hosts add target_session_attrs=read-write");
  } else if (facts.is_read_only) {
    findings.error(Area::destination, "read_only", "sessions are read-only here", at(destination),
                   fmt::format("ALTER ROLE {} SET default_transaction_read_only = off", role));
  }
  if (!facts.has_freshet_schema && !facts.can_create_schema) {
    findings.error(Area::destination, "create_schema",
                   fmt::format("the role {} may not create the schema freshet", facts.role),
                   at(destination), fmt::format("CREATE SCHEMA freshet AUTHORIZATION {}", role));
  } else if (facts.has_freshet_schema && !facts.can_use_freshet) {
    findings.error(Area::destination, "create_schema",
                   fmt::format("the role {} may not write to the schema freshet", facts.role),
                   at(destination), fmt::format("ALTER SCHEMA freshet OWNER TO {}", role));
  }
  if (writes_vectors(config)) judge_vector(facts, destination, findings);
}

void judge_target(const TargetFacts& target,
                  const DestinationFacts& facts,
                  const DestinationConfig& destination,
                  const PipelineConfig& config,
                  const EmbedderDimensions& dimensions,
                  Findings& findings) {
  const std::string where = fmt::format("{}, table {}", at(destination), to_string(target.name));
  const std::string quoted = quote_identifier(target.name);
  const std::string role = quote_identifier(facts.role);
  const auto error = [&](std::string id, std::string what, std::string fix) {
    findings.error(Area::destination, std::move(id), std::move(what), where, std::move(fix));
  };
  if (!target.is_found) {
    const bool can_create = target.has_schema ? target.can_create : facts.can_create_schema;
    if (!can_create) {
      error("create_table", fmt::format("the role {} may not create it", facts.role),
            target.has_schema ? fmt::format("GRANT CREATE, USAGE ON SCHEMA {} TO {}",
                                            quote_identifier(target.name.schema), role)
                              : fmt::format("CREATE SCHEMA {} AUTHORIZATION {}",
                                            quote_identifier(target.name.schema), role));
    }
    return;
  }
  if (target.kind != 'r' && target.kind != 'p') {
    error("target_kind", "something that is no table has this name", "rename it");
    return;
  }
  if (target.persistence == 'u') {
    error("unlogged", "an unlogged table loses its rows in a crash, while its position stays",
          fmt::format("ALTER TABLE {} SET LOGGED", quoted));
  }
  if (!target.can_write) {
    error("write_right", fmt::format("the role {} may not write to it", facts.role),
          fmt::format("GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON {} TO {}", quoted, role));
  }
  if (target.has_rows && !target.is_recorded && is_copied(target.name, config)) {
    error("not_empty", "it has rows that this pipeline did not write",
          fmt::format("empty it (TRUNCATE {}), rename it, or use another database",
                      postgres::own_rows_sql(target.name, target.kind == 'p')));
  }
  if (target.trigger) {
    const Error told = postgres::fires_trigger(target.name, *target.trigger);
    error("trigger", fmt::format("{}: {}", told.message(), target.trigger->name),
          std::string{told.fix()});
  }
  for (const TransformConfig& transform : config.transforms) {
    if (!transform.embed || transform.table != target.name) continue;
    const auto column = target.columns.find(transform.embed->into);
    const auto dimension = dimensions.find(transform.embed->with);
    if (column == target.columns.end() || dimension == dimensions.end()) continue;
    const std::string wanted = fmt::format("vector({})", dimension->second);
    // The type may be shown with the extension's schema.
    if (column->second.ends_with(wanted) || column->second.ends_with("vector")) continue;
    error("vector_dimension",
          fmt::format("the column {} is {}, the embedder {} makes {}", column->first,
                      column->second, transform.embed->with, wanted),
          fmt::format(
              "ALTER TABLE {} ALTER COLUMN {} TYPE {} (after emptying it), or use an embedder "
              "of that dimension",
              quoted, quote_identifier(column->first), wanted));
  }
}

}  // namespace freshet::ops
