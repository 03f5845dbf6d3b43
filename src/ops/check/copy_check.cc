#include "ops/check/copy_check.h"

#include <algorithm>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "destinations/registry.h"
#include "pipeline/copy_choice.h"
#include "source/catalog.h"
#include "source/publication.h"

namespace freshet::ops {
namespace {

bool keeps_chunks(const DestinationConfig& config) {
  const auto destination = make_destination(config);
  return destination.ok() && (*destination)->traits().keeps_chunks;
}

// All at once, since there may be thousands; one by one where one of them cannot be looked at.
std::map<TableName, source::CatalogTable> load_those_there(pg::Connection& source,
                                                           std::span<const TableConfig> tables) {
  const std::vector<TableName> names = source::names_of(tables);
  std::map<TableName, source::CatalogTable> found;
  if (auto all = source::load_tables(source, names); all.ok()) {
    for (std::size_t i = 0; i < names.size(); ++i)
      found.emplace(names[i], std::move((*all)[i]));
    return found;
  }
  for (const TableName& name : names) {
    if (auto one = source::load_table(source, name); one.ok())
      found.emplace(name, std::move(one).value());
  }
  return found;
}

struct Wording {
  std::string_view id;
  std::string_view words;
};

Wording wording_of(CopyMode way) {
  switch (way) {
    case CopyMode::chunked:
      return {"copy_chunked", "copied in chunks"};
    case CopyMode::none:
      return {"copy_none", "not copied"};
    case CopyMode::automatic:
    case CopyMode::snapshot:
      break;
  }
  return {"copy_snapshot", "copied under one snapshot"};
}

void report(const CopyChoice& choice, const TableName& table, Findings& findings) {
  const Wording wording = wording_of(choice.way);
  std::string id{wording.id};
  if (choice.is_as_asked) {
    findings.info(Area::tables, std::move(id), fmt::format("{}: {}", wording.words, choice.reason),
                  to_string(table), "");
    return;
  }
  findings.warning(
      Area::tables, std::move(id),
      fmt::format("{}, although chunks are asked for: {}", wording.words, choice.reason),
      to_string(table), "set `copy: auto` for this table");
}

void warn_without_key(const TableSchema& schema, Findings& findings) {
  const bool has_key = schema.identity != ReplicaIdentity::full &&
                       std::any_of(schema.columns.begin(), schema.columns.end(),
                                   [](const Column& column) { return column.is_identity; });
  if (has_key) return;
  findings.warning(Area::tables, "adopted_without_key",
                   "rows are not told apart by a key: those that were changed between the slot's "
                   "position and the dump would be there twice",
                   to_string(schema.name),
                   "make sure that the dump was made under the snapshot that the slot's creation "
                   "exported");
}

}  // namespace

void report_copies(pg::Connection& source,
                   const PipelineConfig& config,
                   bool is_standby,
                   Findings& findings) {
  const bool can_be_kept =
      std::all_of(config.destinations.begin(), config.destinations.end(), keeps_chunks);
  auto catalog = load_those_there(source, config.source.tables);
  for (const TableConfig& table : config.source.tables) {
    TablePlan plan;
    plan.config = table;
    // Who leaves columns out, the publication or we, makes no difference here.
    plan.publication.filters_columns = true;
    const auto found = catalog.find(table.name);
    if (found == catalog.end()) continue;
    plan.catalog = std::move(found->second);
    plan.masked = masked_columns(config, table.name);
    if (plan.catalog.kind != 'r' && plan.catalog.kind != 'p') continue;
    const auto choice =
        choose_copy(wanted_copy(config.source.copy, table), plan,
                    {.destinations_keep_chunks = can_be_kept, .is_source_standby = is_standby});
    if (choice.ok()) report(*choice, table.name, findings);
    if (choice.ok() && choice->way == CopyMode::none && config.source.adopts_slot)
      warn_without_key(plan.catalog.schema, findings);
  }
}

}  // namespace freshet::ops
