#include "state/open.h"

#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "base/try.h"
#include "state/memory/memory_store.h"
#include "state/sqlite/sqlite_store.h"

namespace freshet {
namespace {

constexpr std::string_view kSqliteScheme = "sqlite:";

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string{} : std::string{value};
}

std::string home_directory() {
  std::string home = environment("HOME");
  if (!home.empty()) return home;
  const passwd* entry = getpwuid(getuid());
  return entry == nullptr || entry->pw_dir == nullptr ? std::string{} : std::string{entry->pw_dir};
}

}  // namespace

Result<std::string> default_state_path(const std::string& pipeline) {
  // The XDG base directory specification has relative paths ignored.
  std::string base = environment("XDG_STATE_HOME");
  if (base.empty() || base.front() != '/') {
    const std::string home = home_directory();
    if (home.empty() || home.front() != '/') {
      return Error{ErrorKind::config, "no directory is known to keep the pipeline's state in"}.fix(
          "set `state: sqlite:PATH` in the configuration, or HOME or XDG_STATE_HOME");
    }
    base = home + "/.local/state";
  }
  return base + "/freshet/" + pipeline + ".db";
}

Result<std::unique_ptr<StateStore>> open_state_store(const std::string& url,
                                                     const std::string& pipeline) {
  if (url == "memory:") return std::unique_ptr<StateStore>(std::make_unique<MemoryStore>());
  std::string path;
  if (url.empty()) {
    FRESHET_TRY(path, default_state_path(pipeline));
  } else if (url.starts_with(kSqliteScheme)) {
    path = url.substr(kSqliteScheme.size());
  }
  if (path.empty()) {
    return Error{ErrorKind::config, "the state's URL is not understood"}.fix(
        "use sqlite:PATH, or memory: for a test");
  }
  FRESHET_TRY(auto store, SqliteStore::open(path));
  return std::unique_ptr<StateStore>(std::move(store));
}

}  // namespace freshet
