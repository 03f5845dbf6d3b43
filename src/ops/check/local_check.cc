// Files, state and models of this machine.
#include "ops/check/local_check.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>

#include "base/error_policy.h"
#include "base/try.h"
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

void report_state(const Error& error, Findings& findings) {
  const std::string fix{error.fix().empty() ? advice_of(error) : std::string_view{error.fix()}};
  findings.error(Area::state, "state", error.describe(), "state", fix);
}

Status check_place_of_state(const PipelineConfig& config, Findings& findings) {
  if (is_postgres_state(config.state)) return check_postgres_state(config.state, config.pipeline);
  FRESHET_TRY(const std::string path, state_path(config.state, config.pipeline));
  check_writable(path, Area::state, "state", findings);
  return ok_status();
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
                     "state", "use sqlite:PATH or postgresql://… for anything but tests");
    return;
  }
  const Status usable = check_place_of_state(config, findings);
  if (!usable.ok()) return report_state(usable.error(), findings);
  if (findings.has_errors()) return;
  const auto store = find_state_store(config.state, config.pipeline);
  if (!store.ok()) return report_state(store.error(), findings);
  if (!*store) return;
  const auto stored = (*store)->load(config.pipeline);
  if (!stored.ok()) return report_state(stored.error(), findings);
  if (stored->holder) {
    findings.info(Area::state, "running",
                  fmt::format("the pipeline runs now: host {}, process {}", stored->holder->host,
                              stored->holder->pid),
                  "state", "");
  }
}

}  // namespace freshet::ops
