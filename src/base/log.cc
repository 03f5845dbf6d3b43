#include "base/log.h"

#include <memory>
#include <mutex>

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "base/error_policy.h"

namespace freshet {
namespace {

using LineWriter = void (*)(std::string_view, void*);

// Guards the redirection; spdlog's own sink has a lock of its own.
std::mutex redirect_mutex;
LineWriter redirect_writer = nullptr;
void* redirect_context = nullptr;
LogFormat log_format = LogFormat::text;

spdlog::logger& logger() {
  static const std::shared_ptr<spdlog::logger> instance = [] {
    auto made = std::make_shared<spdlog::logger>("freshet",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_formatter(std::make_unique<spdlog::pattern_formatter>(
        "%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc));
    return made;
  }();
  return *instance;
}

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warn:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
  out += '"';
}

// Values with blanks or quotes are written as JSON strings, so that a line can be split again.
void append_text_value(std::string& out, std::string_view text) {
  const bool is_plain =
      !text.empty() && text.find_first_of(" \"=\\\n\r\t") == std::string_view::npos;
  if (is_plain) {
    out += text;
  } else {
    append_json_string(out, text);
  }
}

std::string render(std::string_view message,
                   const std::vector<std::pair<std::string_view, std::string_view>>& fields) {
  std::string line;
  if (log_format == LogFormat::json) {
    line = "\"message\":";
    append_json_string(line, message);
    for (const auto& [key, value] : fields) {
      line += ',';
      append_json_string(line, key);
      line += ':';
      append_json_string(line, value);
    }
    return line + "}";
  }
  line = message;
  for (const auto& [key, value] : fields) {
    line += ' ';
    line += key;
    line += '=';
    append_text_value(line, value);
  }
  return line;
}

void write(LogLevel level, const std::string& line) {
  if (!logger().should_log(to_spdlog(level))) return;
  const std::lock_guard lock(redirect_mutex);
  if (redirect_writer != nullptr) {
    // Elsewhere spdlog writes the level; here an ordinary line needs none.
    const auto name = spdlog::level::to_string_view(to_spdlog(level));
    const std::string named =
        fmt::format("{} {}", std::string_view{name.data(), name.size()}, line);
    redirect_writer(level >= LogLevel::warn ? named : line, redirect_context);
    return;
  }
  logger().log(to_spdlog(level), "{}", line);
}

}  // namespace

void set_up_log(LogLevel level, LogFormat format) {
  log_format = format;
  logger().set_level(to_spdlog(level));
  logger().flush_on(spdlog::level::debug);
  if (format == LogFormat::json) {
    logger().set_formatter(std::make_unique<spdlog::pattern_formatter>(
        R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v)", spdlog::pattern_time_type::utc));
  }
}

void redirect_log(LineWriter write_line, void* context) {
  const std::lock_guard lock(redirect_mutex);
  redirect_writer = write_line;
  redirect_context = context;
}

void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  std::vector<std::pair<std::string_view, std::string_view>> pairs;
  pairs.reserve(fields.size());
  for (const LogField& field : fields)
    pairs.emplace_back(field.key, field.text);
  write(level, render(message, pairs));
}

void log_error(LogLevel level, std::string_view message, const Error& error) {
  const std::string_view kind = to_string(error.kind());
  const std::string_view advice = error.fix().empty() ? advice_of(error) : error.fix();
  std::vector<std::pair<std::string_view, std::string_view>> pairs{{"error", error.message()},
                                                                   {"kind", kind}};
  for (const auto& [key, value] : error.context())
    pairs.emplace_back(key, value);
  if (!error.sqlstate().empty()) pairs.emplace_back("sqlstate", error.sqlstate());
  if (!advice.empty()) pairs.emplace_back("fix", advice);
  write(level, render(message, pairs));
}

}  // namespace freshet
