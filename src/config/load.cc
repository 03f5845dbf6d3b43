#include "config/load.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "config/reader.h"
#include "config/reference_check.h"
#include "config/url_secret.h"
#include "config/value_syntax.h"
#include "config/yaml_tree.h"

namespace freshet {
namespace {

LoadedConfig finish(PipelineConfig config, Problems& problems) {
  LoadedConfig loaded;
  loaded.error_count = problems.error_count();
  loaded.problems = problems.take();
  loaded.config = std::move(config);
  return loaded;
}

LoadedConfig failure(std::string message, std::string fix) {
  Problems problems;
  problems.error({}, "", std::move(message), std::move(fix));
  return finish({}, problems);
}

/// FNV-1a: the same name for the same addresses in every run and build.
std::uint32_t hash_text(std::string_view text) {
  std::uint32_t hash = 2166136261U;
  for (const char c : text)
    hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  return hash;
}

/// The database's name where the URI ends in one, so that the pipeline can be told by its name.
std::string database_word(std::string_view url) {
  constexpr std::size_t kWordMax = 24;
  const std::size_t authority = url.find("://");
  const std::size_t slash =
      authority == std::string_view::npos ? authority : url.find('/', authority + 3);
  std::string word;
  if (slash != std::string_view::npos) {
    for (const char c : url.substr(slash + 1, url.find('?') - slash - 1)) {
      const char low = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
      word += is_plain_name({&low, 1}, 1) ? low : '_';
      if (word.size() == kWordMax) break;
    }
  }
  return word.empty() ? "pipeline" : word;
}

/// The option that stands for a key of the file.
std::string option_of(const std::string& key) {
  if (key == "source.url") return "--source";
  if (key == "pipeline") return "--name";
  if (key == "state") return "--state";
  if (key.starts_with("destinations.")) return "--to";
  if (key.starts_with("source.tables")) return "--table";
  return key;
}

void read_tables(const std::vector<std::string>& names,
                 PipelineConfig& config,
                 Problems& problems) {
  for (const std::string& text : names) {
    const std::optional<TableName> name = parse_table_name(text);
    if (!name) {
      problems.error({}, "--table", "not a table's name",
                     "write schema.table, quoting parts as in SQL: 'public.\"Odd name\"'");
      continue;
    }
    config.source.tables.push_back({.name = *name, .columns = {}, .where = {}});
  }
}

}  // namespace

LoadedConfig parse_config(const std::string& text, const Environment& environment) {
  Problems problems;
  PipelineConfig config;
  const YamlNodePtr root = parse_yaml(text, problems);
  if (root != nullptr) {
    const KeyMarks marks = read_config(*root, environment, config, problems);
    if (!marks.empty()) check_references(config, marks, problems);
  }
  return finish(std::move(config), problems);
}

LoadedConfig load_config(const std::string& path, const Environment& environment) {
  std::error_code code;
  if (std::filesystem::is_directory(path, code)) {
    return failure("is a directory", "give a YAML file");
  }
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return failure(fmt::format("cannot be read: {}", std::strerror(errno)),
                   "give the path of a pipeline's YAML file, or --source and --to");
  }
  std::string text(kConfigBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kConfigBytesMax) {
    return failure("larger than 10 MiB: not a pipeline's configuration", "give a YAML file");
  }
  return parse_config(text, environment);
}

LoadedConfig config_from_arguments(const ConfigArguments& arguments) {
  Problems problems;
  PipelineConfig config;
  config.source.url = arguments.source;
  config.source.publications = arguments.publications;
  config.state = arguments.state;
  config.destinations.push_back({.name = "to", .url = arguments.to, .vector_index = {}});
  config.pipeline = arguments.name;
  if (config.pipeline.empty()) {
    const std::string both = redact_url(arguments.source) + "\n" + redact_url(arguments.to);
    config.pipeline = fmt::format("{}_{:08x}", database_word(arguments.source), hash_text(both));
  }
  read_tables(arguments.tables, config, problems);
  check_references(config, {}, problems);
  LoadedConfig loaded = finish(std::move(config), problems);
  for (ConfigProblem& problem : loaded.problems)
    problem.key = option_of(problem.key);
  return loaded;
}

}  // namespace freshet
