// The commands of `freshet`, one file each. A command adds itself to the App; when it was chosen
// its function runs and its result is the exit code.
#pragma once

#include <functional>

#include <CLI/CLI.hpp>

namespace freshet {

/// Called after the command line was read and the log set up.
using RunCommand = std::function<int()>;

/// Receives the function of the command that was chosen.
struct CommandChoice {
  RunCommand run;
  bool is_log_json = false;  ///< Set before it runs: then nothing is drawn.
};

void add_run_command(CLI::App& app, CommandChoice& choice);
void add_check_command(CLI::App& app, CommandChoice& choice);
void add_status_command(CLI::App& app, CommandChoice& choice);
void add_drop_command(CLI::App& app, CommandChoice& choice);
void add_table_command(CLI::App& app, CommandChoice& choice);
void add_ddl_capture_command(CLI::App& app, CommandChoice& choice);
void add_quarantine_command(CLI::App& app, CommandChoice& choice);
void add_schema_command(CLI::App& app, CommandChoice& choice);

/// Parses the command line, runs the command and returns the process's exit code.
int run_cli(int argc, char** argv);

}  // namespace freshet
