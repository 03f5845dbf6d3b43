// Files, state and models of this machine.
#include "ops/check/local_check.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>

#include "ops/check/destination_check.h"
#include "state/open.h"

namespace freshet::ops {
namespace {

namespace fs = std::filesystem;

/// The path itself, or the nearest parent that exists: where the file would be made.
fs::path nearest_existing(const std::string& path) {
  std::error_code code;
  fs::path current = fs::absolute(path, code);
  while (!fs::exists(current, code) && current.has_relative_path())
    current = current.parent_path();
  return current;
}

}  // namespace

void check_writable(const std::string& path,
                    Area area,
                    const std::string& where,
                    Findings& findings) {
  std::error_code code;
  const fs::path existing = nearest_existing(path);
  const bool is_itself = fs::exists(path, code);
  if (is_itself && fs::is_directory(path, code)) {
    findings.error(area, "not_a_file", fmt::format("{} is a directory", path), where,
                   "name a file in it");
    return;
  }
  if (access(existing.c_str(), W_OK) == 0) return;
  findings.error(area, "not_writable",
                 fmt::format("{} cannot be written: {}", existing.string(), std::strerror(errno)),
                 where, "mend its permissions, or choose another path");
}

void check_state(const PipelineConfig& config, Findings& findings) {
  if (config.state == "memory:") {
    findings.warning(Area::state, "state_in_memory", "the state is lost at the end of the process",
                     "state", "use sqlite:PATH for anything but tests");
    return;
  }
  constexpr std::string_view kScheme = "sqlite:";
  std::string path;
  if (config.state.empty()) {
    const Result<std::string> found = default_state_path(config.pipeline);
    if (!found.ok()) {
      findings.error(Area::state, "state_path", found.error().describe(), "state",
                     found.error().fix().empty() ? "set state: sqlite:PATH" : found.error().fix());
      return;
    }
    path = *found;
  } else {
    path = config.state.substr(kScheme.size());
  }
  check_writable(path, Area::state, "state", findings);
  std::error_code code;
  if (!fs::exists(path, code) || findings.has_errors()) return;
  const auto store = open_state_store(config.state, config.pipeline);
  if (!store.ok()) {
    findings.error(Area::state, "state", store.error().describe(), "state", store.error().fix());
    return;
  }
  const auto stored = (*store)->load(config.pipeline);
  if (stored.ok() && stored->holder) {
    findings.info(Area::state, "running",
                  fmt::format("the pipeline runs now: host {}, process {}", stored->holder->host,
                              stored->holder->pid),
                  "state", "");
  }
}

}  // namespace freshet::ops
