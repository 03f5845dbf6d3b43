#include "state/open.h"

#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "base/try.h"
#include "state/memory/memory_store.h"
#include "state/postgres/postgres_store.h"
#include "state/sqlite/sqlite_store.h"

namespace freshet {
namespace {

constexpr std::string_view kSqliteScheme = "sqlite:";
constexpr std::string_view kMemory = "memory:";

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

bool is_postgres_state(std::string_view url) {
  return url.starts_with("postgresql://") || url.starts_with("postgres://");
}

Result<std::string> state_path(const std::string& url, const std::string& pipeline) {
  if (url.empty()) return default_state_path(pipeline);
  if (url.starts_with(kSqliteScheme) && url.size() > kSqliteScheme.size()) {
    return url.substr(kSqliteScheme.size());
  }
  return Error{ErrorKind::config, "the state's URL is not understood"}.fix(
      "use sqlite:PATH, postgresql://…, or memory: for a test");
}

Result<std::unique_ptr<StateStore>> open_state_store(const std::string& url,
                                                     const std::string& pipeline) {
  if (url == kMemory) return std::unique_ptr<StateStore>(std::make_unique<MemoryStore>());
  if (is_postgres_state(url)) {
    FRESHET_TRY(auto store, PostgresStore::open(url, pipeline));
    return std::unique_ptr<StateStore>(std::move(store));
  }
  FRESHET_TRY(const std::string path, state_path(url, pipeline));
  FRESHET_TRY(auto store, SqliteStore::open(path));
  return std::unique_ptr<StateStore>(std::move(store));
}

Result<std::unique_ptr<StateStore>> find_state_store(const std::string& url,
                                                     const std::string& pipeline) {
  if (url == kMemory) return std::unique_ptr<StateStore>{};
  if (is_postgres_state(url)) {
    FRESHET_TRY(auto store, PostgresStore::find(url, pipeline));
    return std::unique_ptr<StateStore>(std::move(store));
  }
  FRESHET_TRY(const std::string path, state_path(url, pipeline));
  std::error_code code;
  if (!std::filesystem::exists(path, code)) return std::unique_ptr<StateStore>{};
  return open_state_store(url, pipeline);
}

Status check_postgres_state(const std::string& url, const std::string& pipeline) {
  return PostgresStore::check(url, pipeline);
}

}  // namespace freshet
