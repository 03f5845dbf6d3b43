// The arguments that say which pipeline a command is about: a file, or --source and --to.
#pragma once

#include <optional>
#include <string>

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

/// Loads the configuration and prints every problem with it to stderr. Nothing if it cannot be
/// used: then the exit code is that of bad usage.
std::optional<PipelineConfig> load_pipeline(const PipelineArguments& arguments);

}  // namespace freshet
