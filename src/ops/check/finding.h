// What `freshet check` found, and what mends it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace freshet::ops {

/// error: `run` would fail or lose something. warning: works, with a catch. info: good to know.
enum class Severity : unsigned char { error, warning, info };
enum class Area : unsigned char { source, tables, destination, embedder, state };
std::string_view to_string(Severity severity) noexcept;
std::string_view to_string(Area area) noexcept;

struct Finding {
  Severity severity = Severity::error;
  Area area = Area::source;
  std::string id;     ///< Stable name for scripts, e.g. `wal_level`.
  std::string what;   ///< A lower-case fact.
  std::string where;  ///< Table, destination, setting; may be empty.
  std::string fix;    ///< SQL, a setting, a sentence; may be empty.
};

/// Gathers findings of one area.
class Findings {
 public:
  void error(Area area, std::string id, std::string what, std::string where, std::string fix);
  void warning(Area area, std::string id, std::string what, std::string where, std::string fix);
  void info(Area area, std::string id, std::string what, std::string where, std::string fix);

  void append(const Findings& others);

  const std::vector<Finding>& all() const noexcept { return found_; }

  bool has_errors() const noexcept;
  std::size_t count(Severity severity) const noexcept;

 private:
  std::vector<Finding> found_;
};

}  // namespace freshet::ops
