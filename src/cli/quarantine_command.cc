// freshet quarantine: changes that a destination refused are looked at, replayed or dropped.
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/error_policy.h"
#include "cli/command.h"
#include "cli/pipeline_arguments.h"
#include "cli/report.h"
#include "ops/quarantine/quarantine.h"

namespace freshet {
namespace {

struct QuarantineOptions {
  std::string file;
  ops::QuarantineQuery query;
  std::uint64_t id = 0;
  bool is_json = false;
  bool is_confirmed = false;
};

std::optional<PipelineConfig> load(QuarantineOptions& options) {
  if (options.id > 0) options.query.id = options.id;
  return load_pipeline({.file = options.file, .inline_config = {}});
}

int done() {
  return static_cast<int>(ExitCode::done);
}

int usage() {
  return static_cast<int>(ExitCode::usage);
}

template <typename T>
void print(const T& found, const QuarantineOptions& options, std::string_view nothing) {
  if (options.is_json) {
    const std::string json = ops::to_json(found);
    std::fwrite(json.data(), 1, json.size(), stdout);
    return;
  }
  const std::vector<std::string> lines = ops::to_lines(found);
  for (const std::string& line : lines)
    print_note(NoteKind::info, line);
  if (lines.empty()) print_note(NoteKind::info, nothing);
}

int list(QuarantineOptions& options) {
  const auto config = load(options);
  if (!config) return usage();
  const auto found = ops::list_quarantine(*config, options.query);
  if (!found.ok()) return fail_with(found.error());
  print(*found, options, "nothing is in quarantine");
  return done();
}

int show(QuarantineOptions& options) {
  const auto config = load(options);
  if (!config) return usage();
  const auto found = ops::show_quarantine(*config, options.query);
  if (!found.ok()) return fail_with(found.error());
  print(*found, options, "nothing is in quarantine");
  return done();
}

int replay(QuarantineOptions& options) {
  const auto config = load(options);
  if (!config) return usage();
  const auto outcomes = ops::replay_quarantine(*config, options.query);
  if (!outcomes.ok()) return fail_with(outcomes.error());
  print(*outcomes, options, "");
  for (const auto& [destination, outcome] : *outcomes) {
    if (outcome.left > 0) return static_cast<int>(ExitCode::failed);
  }
  return done();
}

int drop(QuarantineOptions& options) {
  const auto config = load(options);
  if (!config) return usage();
  if (!options.is_confirmed) {
    const auto found = ops::list_quarantine(*config, options.query);
    if (!found.ok()) return fail_with(found.error());
    print(*found, options, "nothing is in quarantine");
    return fail_with(Error{ErrorKind::config,
                           "nothing was dropped: the destination would never "
                           "get these changes"}
                         .fix("give --yes to drop them"));
  }
  const auto dropped = ops::drop_quarantine(*config, options.query);
  if (!dropped.ok()) return fail_with(dropped.error());
  for (const auto& [destination, count] : *dropped)
    print_note(NoteKind::info, fmt::format("{}: {} dropped", destination, count));
  return done();
}

using Verb = int (*)(QuarantineOptions&);

CLI::App* add_verb(CLI::App& command,
                   CommandChoice& choice,
                   const std::shared_ptr<QuarantineOptions>& options,
                   const char* name,
                   const char* help,
                   Verb verb) {
  CLI::App* app = command.add_subcommand(name, help);
  app->add_option("PIPELINE", options->file, "the pipeline's YAML file")
      ->type_name("FILE")
      ->required();
  app->add_option("--destination", options->query.destination, "at this destination alone")
      ->type_name("NAME");
  app->add_option("--table", options->query.table, "of this table alone: schema.table")
      ->type_name("NAME");
  app->add_option("--id", options->id, "this entry alone")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  app->callback(
      [&choice, options, verb] { choice.run = [options, verb] { return verb(*options); }; });
  return app;
}

}  // namespace

void add_quarantine_command(CLI::App& app, CommandChoice& choice) {
  CLI::App* command =
      app.add_subcommand("quarantine", "look at, replay or drop changes that were refused");
  command->require_subcommand(1);
  auto options = std::make_shared<QuarantineOptions>();
  const auto add = [&](const char* name, const char* help, Verb verb) {
    return add_verb(*command, choice, options, name, help, verb);
  };
  const auto add_json = [&](CLI::App* verb) {
    verb->add_flag("--json", options->is_json, "stable JSON on stdout");
  };
  add_json(add("list", "what waits: tables, how many, since when, why", list));
  CLI::App* shown = add("show", "the changes themselves, with the values of their rows", show);
  add_json(shown);
  shown->add_option("--limit", options->query.limit, "the oldest N of each destination")
      ->type_name("N")
      ->capture_default_str();
  add_json(add("replay", "apply them, in order per key; the pipeline may run", replay));
  CLI::App* dropped = add("drop", "forget them; the destination never gets them", drop);
  dropped->add_flag("-y,--yes", options->is_confirmed, "really");
}

}  // namespace freshet
