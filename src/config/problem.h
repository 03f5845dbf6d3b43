// What is wrong with a configuration: all of it is gathered, none of it thrown.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace freshet {

/// A place in a file, counted from 1; line 0 means that there is none (an option, a whole file).
struct Mark {
  std::size_t line = 0;
  std::size_t column = 0;
};

enum class ProblemSeverity : unsigned char { warning, error };

/// One finding. Never holds a value that may be secret: keys and places only.
struct ConfigProblem {
  ProblemSeverity severity = ProblemSeverity::error;
  Mark mark;
  std::string key;      ///< Full path, e.g. `source.tables[2].name`; empty for the whole file.
  std::string message;  ///< A lower-case fact.
  std::string fix;      ///< What to write instead; may be empty.
};

/// Beyond this many the rest is only counted: junk must not flood a terminal.
constexpr std::size_t kProblemsMax = 100;

/// Gathers problems in the order found.
class Problems {
 public:
  void error(Mark mark, std::string key, std::string message, std::string fix = {});
  void warning(Mark mark, std::string key, std::string message, std::string fix = {});

  bool has_errors() const noexcept { return error_count_ > 0; }

  std::size_t error_count() const noexcept { return error_count_; }

  /// Sorted by place in the file.
  std::vector<ConfigProblem> take();

 private:
  std::vector<ConfigProblem> found_;
  std::size_t error_count_ = 0;
};

/// `file:line:column: key: message; fix`. One line, control characters escaped.
std::string to_string(const ConfigProblem& problem, std::string_view file);

}  // namespace freshet
