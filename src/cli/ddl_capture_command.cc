// freshet ddl-capture: event triggers at the source that make changes of definition exact.
#include <cstdio>
#include <functional>
#include <memory>
#include <string>

#include <fmt/format.h>

#include "base/error_policy.h"
#include "cli/command.h"
#include "cli/pipeline_arguments.h"
#include "cli/report.h"
#include "ops/connect.h"
#include "source/ddl_capture.h"

namespace freshet {
namespace {

using Work = std::function<Status(pg::Connection&)>;

struct CaptureOptions {
  PipelineArguments pipeline;
  bool is_printed = false;
};

int at_source(const CaptureOptions& options, const Work& work) {
  const std::optional<PipelineConfig> config = load_pipeline(options.pipeline);
  if (!config) return static_cast<int>(ExitCode::usage);
  auto connection = ops::connect(config->source.url, "freshet ddl-capture");
  if (!connection.ok()) return fail_with(connection.error());
  const Status status = work(**connection);
  return status.ok() ? static_cast<int>(ExitCode::done) : fail_with(status.error());
}

Status show(pg::Connection& connection) {
  const auto state = source::look_at_ddl_capture(connection);
  if (!state.ok()) return state.error();
  print_note(NoteKind::info, "ddl capture: " + state->what);
  return ok_status();
}

int print(const std::string& sql) {
  return std::fwrite(sql.data(), 1, sql.size(), stdout) == sql.size() ? 0 : 1;
}

void add_change(CLI::App& command,
                CommandChoice& choice,
                const char* name,
                const char* help,
                std::string (*sql)(),
                Status (*change)(pg::Connection&)) {
  auto options = std::make_shared<CaptureOptions>();
  CLI::App* verb = command.add_subcommand(name, help);
  add_pipeline_arguments(*verb, options->pipeline);
  verb->add_flag("--print", options->is_printed, "only print the SQL, for somebody else to run");
  verb->callback([&choice, options, sql, change] {
    choice.run = [options, sql, change] {
      if (options->is_printed) return print(sql());
      return at_source(*options, [&](pg::Connection& connection) -> Status {
        if (Status done = change(connection); !done.ok()) return done;
        return show(connection);
      });
    };
  });
}

}  // namespace

void add_ddl_capture_command(CLI::App& app, CommandChoice& choice) {
  CLI::App* command =
      app.add_subcommand("ddl-capture", "event triggers that make changes of definition exact");
  command->require_subcommand(1);
  add_change(*command, choice, "install", "install them at the source (or a newer version)",
             source::install_ddl_capture_sql, source::install_ddl_capture);
  add_change(*command, choice, "remove", "remove them from the source",
             source::remove_ddl_capture_sql, source::remove_ddl_capture);
  auto options = std::make_shared<CaptureOptions>();
  CLI::App* verb = command->add_subcommand("status", "whether they are installed");
  add_pipeline_arguments(*verb, options->pipeline);
  verb->callback(
      [&choice, options] { choice.run = [options] { return at_source(*options, show); }; });
}

}  // namespace freshet
