#include "ops/table/table_control.h"

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/nearest.h"
#include "base/try.h"
#include "config/value_syntax.h"
#include "ops/connect.h"
#include "ops/discover/discover.h"
#include "source/publication.h"
#include "state/open.h"

namespace freshet::ops {
namespace {

// Of a pipeline with thousands of tables.
constexpr std::size_t kNamesListedMax = 20;

std::string list_names(std::span<const std::string_view> names) {
  std::string text;
  for (const std::string_view name : names.subspan(0, std::min(names.size(), kNamesListedMax)))
    text += fmt::format("{}{}", text.empty() ? "" : ", ", name);
  if (names.size() > kNamesListedMax)
    text += fmt::format(" and {} more", names.size() - kNamesListedMax);
  return text;
}

Error unknown_table(const std::string& word, std::span<const TableName> known) {
  std::vector<std::string> texts;
  for (const TableName& table : known)
    texts.push_back(to_string(table));
  const std::vector<std::string_view> names(texts.begin(), texts.end());
  const std::string_view nearest = find_nearest(word, names);
  return Error{ErrorKind::config, "the pipeline has no such table"}
      .with("table", word)
      .with("tables", list_names(names))
      .fix(nearest.empty() ? std::string{"name one of its tables, as `schema.table`"}
                           : fmt::format("did you mean `{}`?", nearest));
}

/// Those of the pipeline as it would run now: by its file, else by its publications, else all.
Result<std::vector<TableName>> tables_of(const PipelineConfig& config) {
  if (!config.source.tables.empty()) return source::names_of(config.source.tables);
  if (config.source.publications.empty()) {
    FRESHET_TRY(const std::vector<TableConfig> tables, discover_tables(config.source.url));
    return source::names_of(tables);
  }
  FRESHET_TRY(const auto source, connect(config.source.url, "freshet table"));
  return source::list_published_tables(*source, config.source.publications);
}

std::optional<TableWish> wish_of(const StoredPipeline& stored, const TableName& table) {
  for (const WishedTable& wished : stored.wishes) {
    if (wished.table == table) return wished.wish;
  }
  return {};
}

}  // namespace

Result<std::vector<TableName>> find_tables(std::span<const std::string> words,
                                           std::span<const TableName> known) {
  std::vector<TableName> tables;
  for (const std::string& word : words) {
    const std::optional<TableName> name = parse_table_name(word);
    if (!name || std::find(known.begin(), known.end(), *name) == known.end())
      return unknown_table(word, known);
    if (std::find(tables.begin(), tables.end(), *name) == tables.end()) tables.push_back(*name);
  }
  return tables;
}

Result<std::optional<TableWish>> next_wish(TableAction action,
                                           const TableName& table,
                                           std::optional<TableWish> wished) {
  const bool is_paused = wished == TableWish::paused;
  switch (action) {
    case TableAction::pause:
      return is_paused ? std::nullopt : std::optional{TableWish::paused};
    case TableAction::resume:
      return is_paused ? std::optional{TableWish::resync} : std::nullopt;
    case TableAction::resync:
      if (!is_paused) return std::optional{TableWish::resync};
      return Error{ErrorKind::config, "the table is paused"}
          .with("table", to_string(table))
          .fix("`freshet table resume` copies it again and follows it");
  }
  return std::optional<TableWish>{};
}

Result<TableControl> control_tables(const PipelineConfig& config,
                                    TableAction action,
                                    std::span<const std::string> words) {
  if (config.state == "memory:") {
    return Error{ErrorKind::config, "a state in memory is known to no other process"}.fix(
        "keep the state in a file or in PostgreSQL: `state: sqlite:PATH` or `postgresql://…`");
  }
  FRESHET_TRY(const std::vector<TableName> known, tables_of(config));
  FRESHET_TRY(const std::vector<TableName> tables, find_tables(words, known));
  FRESHET_TRY(const auto store, open_state_store(config.state, config.pipeline));
  FRESHET_TRY(const StoredPipeline stored, store->load(config.pipeline));
  TableControl control{.tables = {}, .holder = stored.holder};
  std::vector<WishedTable> wishes;
  for (const TableName& table : tables) {
    FRESHET_TRY(const std::optional<TableWish> wish,
                next_wish(action, table, wish_of(stored, table)));
    control.tables.push_back({.table = table, .is_changed = wish.has_value()});
    if (wish) wishes.push_back({.table = table, .wish = *wish});
  }
  for (const WishedTable& wished : wishes)
    FRESHET_TRY(store->store_wish(config.pipeline, wished));
  return control;
}

}  // namespace freshet::ops
