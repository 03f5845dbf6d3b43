// freshet table: one table is left out or copied again while the others go on.
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/error_policy.h"
#include "cli/command.h"
#include "cli/pipeline_arguments.h"
#include "cli/report.h"
#include "ops/stored_state.h"
#include "ops/table/table_control.h"
#include "ops/table/table_list.h"
#include "source/publication.h"

namespace freshet {
namespace {

struct TableOptions {
  PipelineArguments pipeline;
  std::vector<std::string> tables;
};

std::string_view describe(ops::TableAction action) {
  switch (action) {
    case ops::TableAction::pause:
      return "to be paused";
    case ops::TableAction::resume:
      return "to be copied again and followed";
    case ops::TableAction::resync:
      return "to be copied again";
  }
  return "";
}

void print_outcome(ops::TableAction action,
                   const ops::TableOutcome& outcome,
                   const std::optional<Holder>& holder) {
  const std::string table = to_string(outcome.table);
  if (!outcome.is_changed) {
    const bool is_pause = action == ops::TableAction::pause;
    print_note(
        NoteKind::info,
        fmt::format("{}: {}", table, is_pause ? "paused already" : "not paused, nothing to do"));
    return;
  }
  const std::string when =
      holder ? fmt::format("process {} on {} takes it up within seconds", holder->pid, holder->host)
             : std::string{"no freshet runs; it takes effect at the next start"};
  print_note(NoteKind::info, fmt::format("{}: {}; {}", table, describe(action), when));
}

int control(ops::TableAction action, TableOptions& options) {
  settle_tables(options.pipeline, options.tables);
  if (options.tables.empty()) {
    return fail_with(Error{ErrorKind::config, "no table is named"}.fix(
        "name the pipeline first, then one or more of its tables, as `schema.table`"));
  }
  const std::optional<PipelineConfig> config = load_pipeline(options.pipeline);
  if (!config) return static_cast<int>(ExitCode::usage);
  const auto done = ops::control_tables(*config, action, options.tables);
  if (!done.ok()) return fail_with(done.error());
  for (const ops::TableOutcome& outcome : done->tables)
    print_outcome(action, outcome, done->holder);
  return static_cast<int>(ExitCode::done);
}

int list(const TableOptions& options) {
  const std::optional<PipelineConfig> config = load_pipeline(options.pipeline);
  if (!config) return static_cast<int>(ExitCode::usage);
  const auto stored = ops::load_stored(*config);
  if (!stored.ok()) return fail_with(stored.error());
  const auto lines = ops::list_tables(*stored, source::names_of(config->source.tables));
  for (const std::string& line : lines)
    print_note(NoteKind::info, line);
  if (lines.empty()) print_note(NoteKind::info, "no table is known: the pipeline never ran");
  return static_cast<int>(ExitCode::done);
}

}  // namespace

void add_table_command(CLI::App& app, CommandChoice& choice) {
  CLI::App* command = app.add_subcommand("table", "pause, resume or copy single tables again");
  command->require_subcommand(1);
  const auto add = [&](const char* name, ops::TableAction action, const char* help) {
    auto options = std::make_shared<TableOptions>();
    CLI::App* verb = command->add_subcommand(name, help);
    add_pipeline_and_tables(*verb, options->pipeline, options->tables);
    verb->callback([&choice, action, options] {
      choice.run = [action, options] { return control(action, *options); };
    });
  };
  add("pause", ops::TableAction::pause, "leave tables out from now on; the others go on");
  add("resume", ops::TableAction::resume, "copy paused tables again, and follow them");
  add("resync", ops::TableAction::resync, "copy tables again, also those that were set aside");
  auto options = std::make_shared<TableOptions>();
  CLI::App* verb = command->add_subcommand("list", "the tables, how they stand, and what waits");
  add_pipeline_arguments(*verb, options->pipeline);
  verb->callback([&choice, options] { choice.run = [options] { return list(*options); }; });
}

}  // namespace freshet
