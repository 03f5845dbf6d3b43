#include "cli/pipeline_arguments.h"

#include <cstdio>
#include <utility>

#include <fmt/format.h>

#include "cli/report.h"

namespace freshet {
namespace {

LoadedConfig load(const PipelineArguments& arguments) {
  const ConfigArguments& given = arguments.inline_config;
  if (!arguments.file.empty()) return load_config(arguments.file, process_environment());
  LoadedConfig loaded;
  if (given.source.empty() || given.to.empty()) {
    loaded.error_count = 1;
    loaded.problems.push_back({.severity = ProblemSeverity::error,
                               .mark = {},
                               .key = {},
                               .message = "no pipeline given",
                               .fix = "name its YAML file, or give --source URL and --to URL"});
    return loaded;
  }
  return config_from_arguments(given);
}

CLI::Option* add_file(CLI::App& command, PipelineArguments& arguments) {
  CLI::Option* file = command.add_option("PIPELINE", arguments.file, "the pipeline's YAML file");
  return file->type_name("FILE");
}

/// `file`: what they exclude, if anything.
void add_inline_arguments(CLI::App& command, ConfigArguments& given, CLI::Option* file) {
  const auto add = [&](const char* name, auto& value, const char* help, const char* type) {
    CLI::Option* option = command.add_option(name, value, help);
    option->type_name(type)->group("Without a file");
    // One value each where tables may follow.
    if (file != nullptr) {
      option->excludes(file);
    } else {
      option->allow_extra_args(false);
    }
  };
  add("--source", given.source, "PostgreSQL to read from", "URL");
  add("--to", given.to, "where to write: postgresql://…, jsonl:PATH, jsonl:-, null:", "URL");
  add("--table", given.tables, "a table to replicate; may come several times (default: all)",
      "NAME");
  add("--publication", given.publications, "an existing publication to read", "NAME");
  add("--name", given.name, "the pipeline's name (default: made from the addresses)", "NAME");
  add("--state", given.state, "sqlite:PATH, postgresql://… or memory:", "URL");
}

}  // namespace

void add_pipeline_arguments(CLI::App& command, PipelineArguments& arguments) {
  CLI::Option* file = add_file(command, arguments);
  add_inline_arguments(command, arguments.inline_config, file);
}

void add_pipeline_and_tables(CLI::App& command,
                             PipelineArguments& arguments,
                             std::vector<std::string>& tables) {
  add_file(command, arguments);
  command.add_option("TABLE", tables, "its tables that are meant: schema.table")->type_name("NAME");
  add_inline_arguments(command, arguments.inline_config, nullptr);
}

void settle_tables(PipelineArguments& arguments, std::vector<std::string>& tables) {
  const bool is_inline = !arguments.inline_config.source.empty();
  if (!is_inline || arguments.file.empty()) return;
  tables.insert(tables.begin(), std::exchange(arguments.file, {}));
}

std::optional<PipelineConfig> load_pipeline(const PipelineArguments& arguments) {
  LoadedConfig loaded = load(arguments);
  for (const ConfigProblem& problem : loaded.problems) {
    const bool is_error = problem.severity == ProblemSeverity::error;
    print_note(is_error ? NoteKind::error : NoteKind::warning, to_string(problem, arguments.file));
  }
  std::size_t listed = 0;
  for (const ConfigProblem& problem : loaded.problems) {
    listed += problem.severity == ProblemSeverity::error ? 1 : 0;
  }
  if (loaded.error_count > listed) {
    print_note(NoteKind::error, fmt::format("and {} more", loaded.error_count - listed));
  }
  if (!loaded.ok()) return std::nullopt;
  return std::move(loaded.config);
}

}  // namespace freshet
