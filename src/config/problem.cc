#include "config/problem.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include <fmt/format.h>

namespace freshet {
namespace {

// Keys come from the file: they must not move the cursor of the terminal they are shown on.
std::string escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      escaped += fmt::format("\\x{:02x}", byte);
    } else {
      escaped += c;
    }
  }
  return escaped;
}

}  // namespace

void Problems::error(Mark mark, std::string key, std::string message, std::string fix) {
  ++error_count_;
  if (found_.size() >= kProblemsMax) return;
  found_.push_back(
      {ProblemSeverity::error, mark, std::move(key), std::move(message), std::move(fix)});
}

void Problems::warning(Mark mark, std::string key, std::string message, std::string fix) {
  if (found_.size() >= kProblemsMax) return;
  found_.push_back(
      {ProblemSeverity::warning, mark, std::move(key), std::move(message), std::move(fix)});
}

std::vector<ConfigProblem> Problems::take() {
  std::stable_sort(found_.begin(), found_.end(), [](const auto& a, const auto& b) {
    return std::tie(a.mark.line, a.mark.column) < std::tie(b.mark.line, b.mark.column);
  });
  return std::exchange(found_, {});
}

std::string to_string(const ConfigProblem& problem, std::string_view file) {
  std::string line = escape(file);
  if (problem.mark.line > 0) line += fmt::format(":{}:{}", problem.mark.line, problem.mark.column);
  if (!line.empty()) line += ": ";
  if (!problem.key.empty()) line += escape(problem.key) + ": ";
  line += escape(problem.message);
  if (!problem.fix.empty()) line += "; " + escape(problem.fix);
  return line;
}

}  // namespace freshet
