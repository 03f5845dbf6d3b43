// The arguments that say which pipeline a command is about: a file, or --source and --to.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "config/load.h"

namespace freshet {

/// Filled by CLI11 while it parses; lives as long as the App.
struct PipelineArguments {
  std::string file;
  ConfigArguments inline_config;
};

/// Adds PIPELINE, --source, --to, --table, --publication, --name and --state.
void add_pipeline_arguments(CLI::App& command, PipelineArguments& arguments);
/// Adds PIPELINE and TABLE... . What comes first is a table too where --source and --to say which
/// pipeline is meant: settle_tables() sees to that once all was parsed.
void add_pipeline_and_tables(CLI::App& command,
                             PipelineArguments& arguments,
                             std::vector<std::string>& tables);
void settle_tables(PipelineArguments& arguments, std::vector<std::string>& tables);

/// Loads the configuration and prints every problem with it to stderr. Nothing if it cannot be
/// used: then the exit code is that of bad usage.
std::optional<PipelineConfig> load_pipeline(const PipelineArguments& arguments);

}  // namespace freshet
