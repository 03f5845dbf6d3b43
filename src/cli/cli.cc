// The command line as a whole: options for all commands, help, and what comes before and after.
#include <algorithm>
#include <array>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "base/error_policy.h"
#include "base/log.h"
#include "base/nearest.h"
#include "cli/command.h"
#include "cli/process_secrets.h"
#include "cli/report.h"

#if __has_include("cli/demo/demo.h")
#include "cli/demo/demo.h"
#define FRESHET_HAS_DEMO 1
#endif

namespace freshet {
namespace {

constexpr const char* kExamples = R"(
Examples:
  freshet demo                          the whole thing on this machine, nothing to configure
  freshet check pipeline.yaml           every problem at once, each with what mends it
  freshet run pipeline.yaml             copy, then stream, until stopped
  freshet run pipeline.yaml --until caught-up
  freshet run --source postgresql://app@db/app --to jsonl:- --table public.orders
  freshet status pipeline.yaml --json | jq .slot
  freshet table pause pipeline.yaml public.orders       leave one table out; the others go on
  freshet ddl-capture install pipeline.yaml --print | psql app     exact changes of definition
  freshet quarantine list pipeline.yaml                 changes that a destination refused
  freshet drop pipeline.yaml            remove slot, publication and state

Passwords belong in PGPASSFILE, a libpq service file or the environment, not in a URL.
Exit codes: 0 done, 1 failed while running, 2 bad usage or config, 3 preflight failed,
4 changes would be skipped: needs a decision.
)";

struct LogOptions {
  std::string format = "text";
  std::string level = "info";
};

void add_log_options(CLI::App& app, LogOptions& options) {
  app.add_option("--log-format", options.format, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->type_name("FORMAT")
      ->capture_default_str();
  app.add_option("--log-level", options.level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->type_name("LEVEL")
      ->capture_default_str();
}

void set_up_log(const LogOptions& options) {
  LogLevel level = LogLevel::info;
  if (options.level == "debug") level = LogLevel::debug;
  if (options.level == "warn") level = LogLevel::warn;
  if (options.level == "error") level = LogLevel::error;
  set_up_log(level, options.format == "json" ? LogFormat::json : LogFormat::text);
}

int report_usage(const CLI::App& app, const CLI::ParseError& error, int argc, char** argv) {
  const bool is_question = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success);
  if (is_question) return app.exit(error);
  std::string message = error.what();
  // CLI11 calls a misspelt command an unexpected argument.
  static constexpr std::array<std::string_view, 9> kCommands{
      "demo", "run", "check", "status", "table", "quarantine", "ddl-capture", "drop", "schema"};
  const std::string_view first = argc > 1 ? argv[1] : "";
  const bool is_command = std::find(kCommands.begin(), kCommands.end(), first) != kCommands.end();
  if (!first.empty() && !first.starts_with('-') && !is_command) {
    const std::string_view nearest = find_nearest(first, kCommands);
    message = fmt::format("there is no command `{}`", first);
    if (!nearest.empty()) message += fmt::format("; did you mean `{}`?", nearest);
  }
  blank_argument_passwords({argv + 1, argv + argc});
  print_note(NoteKind::error, message);
  print_note(NoteKind::info, "  fix: see `freshet --help`, or `freshet COMMAND --help`");
  return static_cast<int>(ExitCode::usage);
}

int run_chosen(const CommandChoice& choice) {
  try {
    return choice.run();
  } catch (const std::exception& e) {
    return fail_with(
        Error{ErrorKind::internal, "an exception reached the top"}.with("what", e.what()));
  }
}

}  // namespace

int run_cli(int argc, char** argv) {
  forbid_core_dumps();
  CLI::App app{"Streams PostgreSQL, as it changes, into the stores that AI and analytics read."};
  app.name("freshet");
  app.footer(kExamples);
  app.set_version_flag("--version", "freshet " FRESHET_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  LogOptions log_options;
  add_log_options(app, log_options);
  CommandChoice choice;
#ifdef FRESHET_HAS_DEMO
  add_demo_command(app, choice.run);
#endif
  add_run_command(app, choice);
  add_check_command(app, choice);
  add_status_command(app, choice);
  add_table_command(app, choice);
  add_ddl_capture_command(app, choice);
  add_quarantine_command(app, choice);
  add_drop_command(app, choice);
  add_schema_command(app, choice);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return report_usage(app, error, argc, argv);
  }
  set_up_log(log_options);
  choice.is_log_json = log_options.format == "json";
  if (blank_argument_passwords({argv + 1, argv + argc})) {
    print_note(
        NoteKind::warning,
        "a password on the command line can be seen in the list of processes; use PGPASSFILE, "
        "a service file or ${ENV} in a pipeline file");
  }
  return run_chosen(choice);
}

}  // namespace freshet
