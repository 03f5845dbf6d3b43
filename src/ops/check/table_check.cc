#include "ops/check/table_check.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "base/sql_quote.h"
#include "base/try.h"
#include "ops/check/named_row.h"
#include "ops/check/sql.h"
#include "source/filter_probe.h"
#include "source/publication.h"

namespace freshet::ops {
namespace {

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string_view kind_words(char kind) {
  switch (kind) {
    case 'v':
      return "a view";
    case 'm':
      return "a materialized view";
    case 'f':
      return "a foreign table";
    case 'S':
      return "a sequence";
    case 'i':
      return "an index";
    case 'c':
      return "a composite type";
    default:
      return "no table";
  }
}

/// Judges one table; an early problem hides those that follow from it.
class TableJudge {
 public:
  TableJudge(const TableFacts& facts,
             const TableConfig& table,
             const SourceFacts& source,
             const PipelineConfig& config,
             Findings& findings)
      : facts_(facts),
        table_(table),
        source_(source),
        config_(config),
        findings_(findings),
        where_(to_string(table.name)),
        quoted_(quote_identifier(table.name)) {}

  void run() {
    if (!exists() || !is_replicated_kind()) return;
    judge_rights();
    judge_columns();
    judge_identity();
    judge_leaves();
    judge_collation();
    judge_owner();
  }

 private:
  void error(std::string id, std::string what, std::string fix) {
    findings_.error(Area::tables, std::move(id), std::move(what), where_, std::move(fix));
  }

  void warning(std::string id, std::string what, std::string fix) {
    findings_.warning(Area::tables, std::move(id), std::move(what), where_, std::move(fix));
  }

  bool exists() {
    if (facts_.is_found) return true;
    error("table_missing", facts_.has_schema ? "there is no such table" : "there is no such schema",
          "mend the name in source.tables (upper case matters), or create it");
    return false;
  }

  bool is_replicated_kind() {
    if (facts_.kind != 'r' && facts_.kind != 'p') {
      error("table_kind",
            fmt::format("{}: logical replication carries tables only", kind_words(facts_.kind)),
            "list the tables behind it instead");
      return false;
    }
    if (facts_.persistence == 'u') {
      error("unlogged", "an unlogged table writes no WAL and cannot be replicated",
            fmt::format("ALTER TABLE {} SET LOGGED", quoted_));
      return false;
    }
    if (facts_.persistence == 't') {
      error("temporary", "a temporary table cannot be replicated", "remove it from source.tables");
      return false;
    }
    return true;
  }

  void judge_rights() {
    const std::string role = quote_identifier(source_.role);
    if (!facts_.can_use_schema) {
      error("schema_right", fmt::format("the role {} may not use the schema", source_.role),
            fmt::format("GRANT USAGE ON SCHEMA {} TO {}", quote_identifier(table_.name.schema),
                        role));
    }
    std::vector<std::string> unreadable;
    const auto& wanted = table_.columns.empty() ? facts_.columns : table_.columns;
    for (const std::string& column : wanted) {
      if (contains(facts_.columns, column) && !contains(facts_.readable_columns, column)) {
        unreadable.push_back(column);
      }
    }
    if (!facts_.can_select && !unreadable.empty()) {
      error("select_right", fmt::format("the role {} may not read it", source_.role),
            fmt::format("GRANT SELECT ON {} TO {}", quoted_, role));
    }
    if (facts_.has_row_security) {
      error("row_security", "row-level security would hide rows from the copy",
            fmt::format("ALTER ROLE {} BYPASSRLS", role));
    }
  }

  void judge_columns() {
    for (const std::string& column : table_.columns) {
      if (!contains(facts_.columns, column)) {
        error("column_missing", fmt::format("there is no column {}", column),
              fmt::format("it has {}", fmt::join(facts_.columns, ", ")));
      }
    }
    for (const std::string& column : facts_.generated_columns) {
      const bool is_wanted = table_.columns.empty() || contains(table_.columns, column);
      if (!is_wanted) continue;
      findings_.info(Area::tables, "generated_column",
                     fmt::format("the generated column {} is not replicated", column), where_, "");
    }
    if (table_.columns.empty()) return;
    for (const std::string& column : facts_.identity_columns) {
      if (contains(table_.columns, column)) continue;
      error("identity_column",
            fmt::format("`columns` leaves out {}, which identifies rows", column),
            fmt::format("add {} to the table's columns", column));
    }
  }

  void judge_identity() {
    if (facts_.identity == 'f') {
      warning("identity_full",
              "REPLICA IDENTITY FULL: every update and delete carries the whole old row, and rows "
              "are found by all their columns",
              facts_.unique_index.empty()
                  ? "a primary key would serve better"
                  : fmt::format("ALTER TABLE {} REPLICA IDENTITY {}", quoted_, identity_clause()));
      return;
    }
    if (facts_.kind == 'p' && !facts_.leaves.empty()) return;  // the partitions decide
    if (facts_.has_identity_index) return;
    error("identity_missing",
          "no replica identity: once it is published, every UPDATE and DELETE there would fail",
          identity_fix());
  }

  std::string identity_fix() const {
    if (!facts_.unique_index.empty()) {
      return fmt::format("ALTER TABLE {} REPLICA IDENTITY {}", quoted_, identity_clause());
    }
    return fmt::format(
        "add a primary key: ALTER TABLE {0} ADD PRIMARY KEY (…); or ALTER TABLE {0} REPLICA "
        "IDENTITY "
        "FULL",
        quoted_);
  }

  std::string identity_clause() const {
    // regclass prints the schema where it is not in the path; the clause takes the bare name.
    const std::size_t dot = facts_.unique_index.rfind('.');
    return "USING INDEX " + (dot == std::string::npos || facts_.unique_index.back() == '"'
                                 ? facts_.unique_index
                                 : facts_.unique_index.substr(dot + 1));
  }

  void judge_leaves() {
    for (const LeafFacts& leaf : facts_.leaves) {
      if (leaf.kind == 'f') {
        error("foreign_partition", fmt::format("the partition {} is a foreign table", leaf.table),
              "detach it: its rows cannot be replicated");
      } else if (leaf.persistence == 'u') {
        error("unlogged_partition", fmt::format("the partition {} is unlogged", leaf.table),
              fmt::format("ALTER TABLE {} SET LOGGED", leaf.table));
      } else if (leaf.identity != 'f' && !leaf.has_identity_index) {
        error("identity_missing",
              fmt::format("the partition {} has no replica identity: updates and deletes there "
                          "would fail",
                          leaf.table),
              fmt::format("ALTER TABLE {} REPLICA IDENTITY {}", leaf.table,
                          facts_.has_identity_index ? "DEFAULT" : "FULL"));
      } else if (leaf.identity != facts_.identity && leaf.identity != 'i') {
        warning(
            "identity_differs",
            fmt::format("the partition {} has another replica identity than its root", leaf.table),
            fmt::format("ALTER TABLE {} REPLICA IDENTITY {}", leaf.table,
                        facts_.identity == 'f' ? "FULL" : "DEFAULT"));
      }
    }
  }

  void judge_collation() {
    for (const std::string& column : facts_.nondeterministic_columns) {
      warning("nondeterministic_key",
              fmt::format("the key column {} has a nondeterministic collation: values that the "
                          "source holds equal may be distinct at a destination",
                          column),
              "give it a deterministic collation, or the same collation at the destination");
    }
    if (facts_.child_count > 0) {
      warning("inheritance",
              fmt::format("{} tables inherit from it; their rows are not part of it",
                          facts_.child_count),
              "list them in source.tables too");
    }
  }

  void judge_owner() {
    const bool is_published = source_.is_standby || !config_.source.publications.empty();
    if (facts_.is_owner || source_.is_superuser || is_published) return;
    error("table_owner",
          fmt::format("only its owner can add it to a publication, and {} is not", source_.role),
          fmt::format("let the owner create a publication and name it in source.publications: "
                      "CREATE PUBLICATION {} FOR TABLE {}",
                      quote_identifier(default_object_name(config_)), quoted_));
  }

  const TableFacts& facts_;
  const TableConfig& table_;
  const SourceFacts& source_;
  const PipelineConfig& config_;
  Findings& findings_;
  std::string where_;
  std::string quoted_;
};

// On a standby none can be created, but what `run` would create elsewhere can be told.
Status report_uncreatable(pg::Connection& connection,
                          const PipelineConfig& config,
                          Findings& findings) {
  const auto plan = source::plan_publication(
      connection, {.name = default_object_name(config),
                   .tables = config.source.tables,
                   .publishes_via_root = config.source.publishes_via_root});
  if (!plan.ok()) return plan.error();
  findings.error(Area::source, "publication_missing",
                 "there is no such publication, and on a standby none can be created",
                 fmt::format("publication {}", plan->name), "at the primary: " + plan->sql);
  return {};
}

}  // namespace

void judge_tables(const std::vector<TableFacts>& facts,
                  const SourceFacts& source,
                  const PipelineConfig& config,
                  Findings& findings) {
  for (std::size_t i = 0; i < facts.size() && i < config.source.tables.size(); ++i) {
    TableJudge(facts[i], config.source.tables[i], source, config, findings).run();
  }
}

void check_copy_conditions(pg::Connection& connection,
                           const PipelineConfig& config,
                           Findings& findings) {
  for (const TableConfig& table : config.source.tables) {
    if (table.copy_where.empty()) continue;
    const Status checked =
        source::check_copy_condition(connection, table.name, "copy_where", table.copy_where);
    if (checked.ok()) continue;
    findings.error(Area::tables, "copy_where", checked.error().describe(), to_string(table.name),
                   std::string{checked.error().fix()});
  }
}

void check_filters(pg::Connection& connection, const PipelineConfig& config, Findings& findings) {
  for (const TableConfig& table : config.source.tables) {
    if (table.where.empty()) continue;
    const auto columns = source::find_filter_columns(connection, table.name, table.where);
    if (columns.ok()) continue;
    findings.error(Area::tables, "where",
                   "`where` is no usable condition: " + columns.error().describe(),
                   to_string(table.name),
                   columns.error().fix().empty() ? "mend the condition" : columns.error().fix());
  }
}

Status check_publication(pg::Connection& connection,
                         const PipelineConfig& config,
                         bool is_standby,
                         Findings& findings) {
  auto names = config.source.publications;
  if (names.empty() && !is_standby) return {};
  if (names.empty()) {
    names.push_back(default_object_name(config));
    FRESHET_TRY(const bool exists, source::has_publication(connection, names.front()));
    if (!exists) return report_uncreatable(connection, config, findings);
  }
  const std::string list = nlohmann::json(names).dump();
  const std::optional<std::string_view> parameter{list};
  FRESHET_TRY(const pg::Rows rows, connection.query(sql::kSqlPublicationFacts, {&parameter, 1}));
  bool are_all_found = true;
  for (int i = 0; i < rows.rows(); ++i) {
    const NamedRow row(rows, i);
    const std::string name = row.text("name");
    const std::string where = fmt::format("publication {}", name);
    if (!row.flag("is_found")) {
      are_all_found = false;
      findings.error(Area::source, "publication_missing", "there is no such publication", where,
                     fmt::format("CREATE PUBLICATION {} FOR TABLE …; or remove it from "
                                 "source.publications and let Freshet create one",
                                 quote_identifier(name)));
      continue;
    }
    for (const char* operation : {"insert", "update", "delete", "truncate"}) {
      if (row.flag(fmt::format("has_{}", operation))) continue;
      findings.warning(Area::source, "publication_operation",
                       fmt::format("it does not publish {}", operation), where,
                       fmt::format("ALTER PUBLICATION {} SET (publish = 'insert, update, delete, "
                                   "truncate')",
                                   quote_identifier(name)));
    }
  }
  if (!are_all_found || config.source.tables.empty()) return {};
  const auto checked = source::check_publications(connection, names, config.source.tables);
  if (checked.ok()) return {};
  const Error& error = checked.error();
  findings.error(Area::source, "publication_tables", error.describe(), "source.publications",
                 error.fix());
  return {};
}

}  // namespace freshet::ops
