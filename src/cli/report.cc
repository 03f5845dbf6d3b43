#include "cli/report.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>

#include "base/error_policy.h"

namespace freshet {
namespace {

struct Prefix {
  std::string_view word;
  std::string_view color;
};

Prefix prefix_of(NoteKind kind) {
  switch (kind) {
    case NoteKind::error:
      return {"error", "\x1b[1;31m"};
    case NoteKind::warning:
      return {"warning", "\x1b[1;33m"};
    case NoteKind::info:
      return {"", ""};
  }
  return {"", ""};
}

// Messages may quote a server: nothing of it may steer the terminal.
std::string without_controls(std::string_view text) {
  std::string clean;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    clean += (byte < 0x20 || byte == 0x7f) ? ' ' : c;
  }
  return clean;
}

}  // namespace

bool wants_color(int descriptor) {
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  if (no_color != nullptr && no_color[0] != '\0') return false;
  if (terminal != nullptr && std::string_view{terminal} == "dumb") return false;
  return isatty(descriptor) == 1;
}

void print_note(NoteKind kind, std::string_view text) {
  const Prefix prefix = prefix_of(kind);
  std::string line;
  if (!prefix.word.empty()) {
    line = wants_color(STDERR_FILENO) ? fmt::format("{}{}:\x1b[0m ", prefix.color, prefix.word)
                                      : fmt::format("{}: ", prefix.word);
  }
  line += text;
  line += '\n';
  std::fwrite(line.data(), 1, line.size(), stderr);
}

std::string format_error(const Error& error) {
  std::string text = without_controls(error.message());
  std::string where;
  for (const auto& [key, value] : error.context()) {
    where += fmt::format("{}{}={}", where.empty() ? "" : " ", key, without_controls(value));
  }
  if (!error.sqlstate().empty()) {
    where += fmt::format("{}sqlstate={}", where.empty() ? "" : " ", error.sqlstate());
  }
  if (!where.empty()) text += "\n  where: " + where;
  const std::string_view fix =
      error.fix().empty() ? advice_of(error) : std::string_view{error.fix()};
  if (!fix.empty()) text += fmt::format("\n  fix: {}", without_controls(fix));
  return text;
}

int fail_with(const Error& error) {
  print_note(NoteKind::error, format_error(error));
  return static_cast<int>(exit_code_of(error));
}

}  // namespace freshet
