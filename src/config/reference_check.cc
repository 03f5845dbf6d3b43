#include "config/reference_check.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/nearest.h"
#include "config/value_syntax.h"
#include "state/open.h"

namespace freshet {
namespace {

constexpr std::size_t kPipelineNameMax = 40;
constexpr std::size_t kSlotNameMax = 63;

/// Checks one configuration; each check is independent of the others.
class ReferenceCheck {
 public:
  ReferenceCheck(const PipelineConfig& config, const KeyMarks& marks, Problems& problems)
      : config_(config), marks_(marks), problems_(problems) {}

  void run() {
    check_names();
    check_source();
    check_tables();
    check_embedders();
    check_transforms();
    check_destinations();
    check_state();
  }

 private:
  /// Reports at the place of `path`, or of the nearest parent that stands in the file.
  void error(const std::string& path, std::string message, std::string fix = {}) {
    problems_.error(mark_of(path), path, std::move(message), std::move(fix));
  }

  Mark mark_of(std::string path) const {
    while (!path.empty()) {
      if (const auto found = marks_.find(path); found != marks_.end()) return found->second;
      const std::size_t cut = path.find_last_of(".[");
      path.resize(cut == std::string::npos ? 0 : cut);
    }
    return marks_.empty() ? Mark{} : Mark{1, 1};
  }

  bool has(const std::string& path) const { return marks_.contains(path); }

  void check_names() {
    const std::string& name = config_.pipeline;
    if (!name.empty() && !is_plain_name(name, kPipelineNameMax)) {
      error("pipeline", "a pipeline's name is 1 to 40 of a-z, 0-9 and _");
    }
    if (!config_.source.slot.empty() && !is_plain_name(config_.source.slot, kSlotNameMax)) {
      error("source.slot", "a slot's name is 1 to 63 of a-z, 0-9 and _");
    }
  }

  void check_source() {
    const std::string& url = config_.source.url;
    const bool is_uri = url.starts_with("postgresql://") || url.starts_with("postgres://");
    if (!url.empty() && !is_uri && url.find('=') == std::string::npos) {
      error("source.url", "not a PostgreSQL URI or connection string",
            "write postgresql://USER@HOST:PORT/DATABASE");
    }
    const bool has_named = !config_.source.publications.empty() || has("source.publications");
    if (config_.source.tables.empty() && !has_named && has("source")) {
      error("source.tables", "nothing to replicate: there are no tables and no publications",
            "list tables under `source.tables`, or name publications");
    }
    check_adoption();
  }

  void check_adoption() {
    const SourceConfig& source = config_.source;
    if (has("source.start_lsn") && !source.start_lsn) {
      error("source.start_lsn", "not an LSN", "write it as PostgreSQL does, e.g. 16/B374D848");
    }
    if (has("source.start_lsn") && !source.adopts_slot) {
      error("source.start_lsn", "only an adopted slot may begin elsewhere than where it stands",
            "add `adopt_slot: true`, or remove this key");
    }
    if (!source.adopts_slot) return;
    if (source.slot.empty()) {
      error("source.adopt_slot", "which slot is to be adopted?", "name it in `source.slot`");
    }
    if (source.publications.empty()) {
      error("source.adopt_slot",
            "a publication made now is unknown to the changes that the slot has kept",
            "name one in `source.publications` that was made before the slot");
    }
  }

  void check_tables() {
    std::set<TableName> seen;
    for (std::size_t i = 0; i < config_.source.tables.size(); ++i) {
      const TableConfig& table = config_.source.tables[i];
      const TableName& name = table.name;
      if (!table.copy_where.empty() &&
          table.copy.value_or(config_.source.copy.mode) == CopyMode::none) {
        error(fmt::format("source.tables[{}].copy_where", i),
              "nothing of this table is copied, as its copy mode is none", "remove one of the two");
      }
      if (name.table.empty()) continue;
      if (!seen.insert(name).second) {
        error(fmt::format("source.tables[{}]", i),
              fmt::format("the table {} is listed twice", to_string(name)));
      }
    }
  }

  void check_embedders() {
    for (const auto& [name, embedder] : config_.embedders) {
      const std::string path = "embedders." + name;
      const bool is_http = embedder.type == EmbedderType::http;
      if (!has(path + ".type")) continue;
      if (is_http && !has(path + ".url")) {
        error(path + ".url", "this key is missing: an http embedder needs its endpoint");
      }
      if (is_http && !has(path + ".model")) {
        error(path + ".model", "this key is missing: an http embedder needs its model's name");
      }
      if (is_http && !embedder.url.empty() && !embedder.url.starts_with("http://") &&
          !embedder.url.starts_with("https://")) {
        error(path + ".url", "not an http:// or https:// URL");
      }
      static constexpr std::array<const char*, 5> kHttpOnly{"url", "api_key", "batch_texts_max",
                                                            "requests_in_flight", "timeout"};
      for (const char* key : kHttpOnly) {
        if (!is_http && has(fmt::format("{}.{}", path, key))) {
          error(fmt::format("{}.{}", path, key), "means nothing to an embedder of type static");
        }
      }
      if (is_http && has(path + ".path")) {
        error(path + ".path", "means nothing to an embedder of type http");
      }
    }
  }

  void check_transforms() {
    std::map<TableName, std::set<std::string>> made;
    for (std::size_t i = 0; i < config_.transforms.size(); ++i) {
      const TransformConfig& transform = config_.transforms[i];
      const std::string path = fmt::format("transforms[{}]", i);
      const bool has_embed = has(path + ".embed");
      const bool has_mask = has(path + ".mask");
      if (has_embed == has_mask) {
        error(path, has_embed ? "has both `embed` and `mask`" : "has neither `embed` nor `mask`",
              "give exactly one; a table may have several transforms");
      }
      const TableConfig* table = check_transform_table(path, transform);
      if (transform.embed) check_embed(path, *transform.embed, table, made[transform.table]);
      for (const auto& [column, method] : transform.mask) {
        check_column(fmt::format("{}.mask.{}", path, column), column, table);
      }
    }
  }

  const TableConfig* check_transform_table(const std::string& path,
                                           const TransformConfig& transform) {
    const auto& tables = config_.source.tables;
    if (transform.table.table.empty() || tables.empty()) return nullptr;
    const auto found = std::find_if(tables.begin(), tables.end(), [&](const TableConfig& table) {
      return table.name == transform.table;
    });
    if (found != tables.end()) return &*found;
    std::vector<std::string> names;
    for (const TableConfig& table : tables)
      names.push_back(to_string(table.name));
    error(path + ".table",
          fmt::format("the table {} is not in `source.tables`", to_string(transform.table)),
          suggest(to_string(transform.table), names));
    return nullptr;
  }

  void check_embed(const std::string& path,
                   const EmbedConfig& embed,
                   const TableConfig* table,
                   std::set<std::string>& made) {
    if (!embed.with.empty() && !config_.embedders.contains(embed.with)) {
      std::vector<std::string> names;
      for (const auto& [name, embedder] : config_.embedders)
        names.push_back(name);
      error(path + ".embed.with", fmt::format("there is no embedder {}", embed.with),
            names.empty() ? "define it under `embedders`" : suggest(embed.with, names));
    }
    check_column(path + ".embed.from", embed.from, table);
    if (embed.into.empty()) return;
    const bool is_source_column =
        table != nullptr &&
        std::find(table->columns.begin(), table->columns.end(), embed.into) != table->columns.end();
    if (embed.into == embed.from || is_source_column || !made.insert(embed.into).second) {
      error(path + ".embed.into", fmt::format("the column {} exists already", embed.into),
            "name a new column");
    }
  }

  void check_column(const std::string& path, const std::string& column, const TableConfig* table) {
    if (column.empty() || table == nullptr || table->columns.empty()) return;
    if (std::find(table->columns.begin(), table->columns.end(), column) != table->columns.end()) {
      return;
    }
    error(path, fmt::format("the column {} is not in the table's `columns`", column),
          suggest(column, table->columns));
  }

  static std::string suggest(const std::string& word, const std::vector<std::string>& known) {
    const std::vector<std::string_view> candidates(known.begin(), known.end());
    const std::string_view nearest = find_nearest(word, candidates);
    return nearest.empty() ? "" : fmt::format("did you mean `{}`?", nearest);
  }

  void check_destinations() {
    std::map<std::string, std::string> seen;
    for (const DestinationConfig& destination : config_.destinations) {
      const std::string path = "destinations." + destination.name;
      if (!is_plain_name(destination.name, kSlotNameMax)) {
        error(path, "a destination's name is 1 to 63 of a-z, 0-9 and _");
      }
      if (destination.url.empty()) continue;
      check_destination_url(path + ".url", destination.url);
      if (config_.source.is_binary && destination.url.starts_with("jsonl:")) {
        error("source.binary", "JSON lines hold values as text",
              fmt::format("leave it out, or give destination {} a pipeline of its own",
                          destination.name));
      }
      const auto [other, is_new] = seen.emplace(destination.url, destination.name);
      if (!is_new && destination.url != "null:") {
        error(path + ".url", fmt::format("the same store as destination {}", other->second),
              "two destinations would overwrite each other");
      }
      const bool is_newest = destination.on_conflict == OnConflict::newest_wins;
      if (is_newest && destination.newest_by.empty()) {
        error(path + ".on_conflict", "newest by which column?",
              "name one that each table has in `newest_by`, e.g. updated_at");
      }
      if (!is_newest && has(path + ".newest_by")) {
        error(path + ".newest_by", "only `on_conflict: newest_wins` compares rows",
              "write it so, or remove this key");
      }
      const bool keeps_values = is_newest || destination.on_conflict == OnConflict::source_wins ||
                                destination.on_conflict == OnConflict::quarantine;
      if (config_.source.is_binary && keeps_values) {
        error(path + ".on_conflict",
              "with source.binary there is no text of a row to be kept or sought",
              "remove source.binary, or write `skip` or `error`");
      }
      if (has(path + ".on_conflict") && !destination.url.starts_with("postgres")) {
        error(path + ".on_conflict", "only a PostgreSQL destination has conflicts to answer",
              "remove this key");
      }
      if (has(path + ".schema") && !destination.url.starts_with("postgres")) {
        error(path + ".schema", "only a PostgreSQL destination has a schema to be made",
              "remove this key");
      }
      const VectorIndexConfig& index = destination.vector_index;
      if (index.is_wanted && index.ef_construction < 2 * index.m) {
        error(path + ".vector_index", "ef_construction must be at least twice m",
              fmt::format("set ef_construction to {} or more", 2 * index.m));
      }
    }
  }

  void check_destination_url(const std::string& path, const std::string& url) {
    static constexpr std::array<std::string_view, 4> kSchemes{"postgresql", "postgres", "jsonl",
                                                              "null"};
    const std::string_view scheme = std::string_view{url}.substr(0, url.find(':'));
    if (std::find(kSchemes.begin(), kSchemes.end(), scheme) == kSchemes.end() ||
        url.find(':') == std::string::npos) {
      const std::string_view nearest = find_nearest(scheme, kSchemes);
      error(path,
            "no destination of this kind: postgresql://…, jsonl:PATH, jsonl:- and null: exist",
            nearest.empty() ? "" : fmt::format("did you mean `{}:`?", nearest));
    } else if (scheme.starts_with("postgres") && !url.substr(scheme.size()).starts_with("://")) {
      error(path, "not a PostgreSQL URI", "write postgresql://USER@HOST:PORT/DATABASE");
    } else if (url == "jsonl:") {
      error(path, "a file is missing", "write jsonl:PATH, or jsonl:- for stdout");
    }
  }

  void check_state() {
    const std::string& state = config_.state;
    if (state.empty() || state == "memory:") return;
    if (is_postgres_state(state)) return check_shared_mask_key();
    if (!state.starts_with("sqlite:") || state == "sqlite:") {
      error("state", "expected sqlite:PATH, postgresql://… or memory:");
    }
  }

  /// A key made on one host is unknown to the one that the pipeline goes on from.
  void check_shared_mask_key() {
    const auto hashes = [](const TransformConfig& transform) {
      return std::any_of(transform.mask.begin(), transform.mask.end(),
                         [](const auto& mask) { return mask.second == MaskMethod::hash; });
    };
    const auto& transforms = config_.transforms;
    const bool needs_key = std::any_of(transforms.begin(), transforms.end(), hashes);
    if (!needs_key || has("mask_key")) return;
    error("mask_key",
          "this key is missing: with its state in PostgreSQL the pipeline may run on "
          "any host, and `hash` masks must not depend on which",
          "set mask_key: ${FRESHET_MASK_KEY}, equal on all hosts");
  }

  const PipelineConfig& config_;
  const KeyMarks& marks_;
  Problems& problems_;
};

}  // namespace

void check_references(const PipelineConfig& config, const KeyMarks& marks, Problems& problems) {
  ReferenceCheck(config, marks, problems).run();
}

}  // namespace freshet
