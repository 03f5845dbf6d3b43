// Makes a PipelineConfig out of a file or of command-line options.
#pragma once

#include <string>
#include <vector>

#include "config/environment.h"
#include "config/problem.h"
#include "freshet/config.h"

namespace freshet {

/// Files beyond this size are refused unread.
constexpr std::size_t kConfigBytesMax = std::size_t{10} << 20;

struct LoadedConfig {
  PipelineConfig config;                ///< Meaningful only if ok.
  std::vector<ConfigProblem> problems;  ///< Warnings too, in file order.
  std::size_t error_count = 0;          ///< May exceed the problems listed.

  bool ok() const noexcept { return error_count == 0; }
};

LoadedConfig parse_config(const std::string& text, const Environment& environment);
/// Reads `path`, then parse_config. Relative paths in the file stay relative to the working
/// directory.
LoadedConfig load_config(const std::string& path, const Environment& environment);

/// What `run --source … --to …` gives instead of a file.
struct ConfigArguments {
  std::string source = {};
  std::string to = {};
  std::vector<std::string> tables = {};
  std::vector<std::string> publications = {};
  std::string name = {};  ///< Empty: made from the source's and the destination's address.
  std::string state = {};
};

LoadedConfig config_from_arguments(const ConfigArguments& arguments);

}  // namespace freshet
