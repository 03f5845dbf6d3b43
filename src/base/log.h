// Log lines: one per event, a lower-case message then key=value fields. Thread-safe.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "freshet/result.h"

namespace freshet {

enum class LogLevel : unsigned char { debug, info, warn, error };
enum class LogFormat : unsigned char { text, json };

/// A key=value pair of a log line. Values are escaped by the log; never row values or secrets.
struct LogField {
  template <typename T>
  LogField(std::string_view name, const T& value) : key(name), text(fmt::format("{}", value)) {}

  std::string_view key;
  std::string text;
};

/// Sets level and format for the process; call once, before threads start.
void set_up_log(LogLevel level, LogFormat format);
/// Receives finished lines instead of stderr while set (the live display draws around them).
/// Pass nullptr to restore. The function may be called from any thread, one call at a time.
void redirect_log(void (*write_line)(std::string_view line, void* context), void* context);

void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});
/// Logs an error's message, fields, kind and advice.
void log_error(LogLevel level, std::string_view message, const Error& error);

inline void log_info(std::string_view message, std::initializer_list<LogField> fields = {}) {
  log(LogLevel::info, message, fields);
}

inline void log_warn(std::string_view message, std::initializer_list<LogField> fields = {}) {
  log(LogLevel::warn, message, fields);
}

inline void log_debug(std::string_view message, std::initializer_list<LogField> fields = {}) {
  log(LogLevel::debug, message, fields);
}

}  // namespace freshet
