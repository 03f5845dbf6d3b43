// freshet drop: removes slot, publication and state that Freshet made.
#include <unistd.h>

#include <iostream>
#include <memory>
#include <string>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error_policy.h"
#include "cli/command.h"
#include "cli/pipeline_arguments.h"
#include "cli/report.h"
#include "ops/drop/drop.h"

namespace freshet {
namespace {

struct DropOptions {
  PipelineArguments pipeline;
  bool is_confirmed = false;
};

void print_plan(const std::string& pipeline, const ops::DropPlan& plan) {
  print_note(NoteKind::info, fmt::format("pipeline {}: this will be removed", pipeline));
  if (!plan.slot.empty() && !plan.leaves_slot)
    print_note(NoteKind::info, fmt::format("  slot {}", plan.slot));
  if (!plan.publication.empty()) {
    print_note(NoteKind::info, fmt::format("  publication {}", plan.publication));
  }
  for (const std::string& destination : plan.destinations) {
    print_note(NoteKind::info, fmt::format("  the position kept at destination {}", destination));
  }
  if (plan.has_state) print_note(NoteKind::info, "  the state");
  if (plan.leaves_slot) print_note(NoteKind::info, ops::words_of_left_slot(plan.slot));
  print_note(NoteKind::info, "tables and their rows stay as they are");
}

/// Nothing if there is nobody to ask.
std::optional<bool> ask() {
  if (isatty(STDIN_FILENO) != 1 || isatty(STDERR_FILENO) != 1) return std::nullopt;
  std::cerr << "go ahead? [y/N] " << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

int drop(const DropOptions& options) {
  const std::optional<PipelineConfig> config = load_pipeline(options.pipeline);
  if (!config) return static_cast<int>(ExitCode::usage);
  const auto plan = ops::plan_drop(*config);
  if (!plan.ok()) return fail_with(plan.error());
  if (plan->empty()) {
    print_note(NoteKind::info, fmt::format("pipeline {}: nothing to drop", config->pipeline));
    return static_cast<int>(ExitCode::done);
  }
  if (!options.is_confirmed) {
    print_plan(config->pipeline, *plan);
    const std::optional<bool> answer = ask();
    if (!answer) {
      return fail_with(Error{ErrorKind::config, "nobody is there to confirm"}.fix(
          "give --yes to drop without asking"));
    }
    if (!*answer) return static_cast<int>(ExitCode::done);
  }
  const Status status = ops::drop_pipeline(
      *config, [](const std::string& line) { print_note(NoteKind::info, line); });
  return status.ok() ? static_cast<int>(ExitCode::done) : fail_with(status.error());
}

}  // namespace

void add_drop_command(CLI::App& app, CommandChoice& choice) {
  auto options = std::make_shared<DropOptions>();
  CLI::App* command =
      app.add_subcommand("drop", "remove slot, publication and state; data tables stay");
  add_pipeline_arguments(*command, options->pipeline);
  command->add_flag("-y,--yes", options->is_confirmed, "do not ask");
  command->callback([&choice, options] { choice.run = [options] { return drop(*options); }; });
}

}  // namespace freshet
