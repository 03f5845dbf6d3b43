// freshet status: phases, positions, lag and slot health.
#include <cstdio>
#include <memory>

#include "base/error_policy.h"
#include "cli/command.h"
#include "cli/pipeline_arguments.h"
#include "cli/report.h"
#include "ops/status/status.h"

namespace freshet {
namespace {

struct StatusOptions {
  PipelineArguments pipeline;
  bool is_json = false;
};

int show_status(const StatusOptions& options) {
  const std::optional<PipelineConfig> config = load_pipeline(options.pipeline);
  if (!config) return static_cast<int>(ExitCode::usage);
  const auto status = ops::load_status(*config);
  if (!status.ok()) return fail_with(status.error());
  if (options.is_json) {
    const std::string json = ops::to_json(*status);
    std::fwrite(json.data(), 1, json.size(), stdout);
  } else {
    for (const std::string& line : ops::to_lines(*status))
      print_note(NoteKind::info, line);
  }
  return static_cast<int>(ExitCode::done);
}

}  // namespace

void add_status_command(CLI::App& app, CommandChoice& choice) {
  auto options = std::make_shared<StatusOptions>();
  CLI::App* command = app.add_subcommand("status", "phases, positions, lag and slot health");
  add_pipeline_arguments(*command, options->pipeline);
  command->add_flag("--json", options->is_json, "stable JSON on stdout");
  command->callback(
      [&choice, options] { choice.run = [options] { return show_status(*options); }; });
}

}  // namespace freshet
