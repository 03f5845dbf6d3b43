#include "cli/display/progress_display.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <utility>

#include <fmt/format.h>
#include <pthread.h>

#include "base/log.h"
#include "cli/display/plain_report.h"
#include "cli/display/quantity.h"
#include "cli/display/text_width.h"
#include "cli/report.h"

namespace freshet {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kFrameInterval{200};
constexpr std::chrono::seconds kReportInterval{10};

// Asked anew for each frame, which makes a handler for SIGWINCH unnecessary.
Screen measure_screen() {
  winsize size{};
  Screen screen{.has_color = wants_color(STDERR_FILENO)};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
    screen.width = size.ws_col;
    screen.height = size.ws_row;
  }
  return screen;
}

// One write for a whole frame: a terminal then never shows half of one.
void write_terminal(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(STDERR_FILENO, bytes.data(), bytes.size());
    if (written <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

/// Moves to the first row of a block whose lines may have been wrapped by a narrower window.
std::string move_to_top(const std::vector<std::size_t>& widths, std::size_t screen_width) {
  std::size_t rows = 0;
  for (const std::size_t width : widths) {
    rows += std::max<std::size_t>(1, (width + screen_width - 1) / screen_width);
  }
  return rows == 0 ? "\r" : fmt::format("\r\x1b[{}A", rows);
}

std::size_t visible_width(std::string_view line) {
  std::string plain;
  for (std::size_t at = 0; at < line.size(); ++at) {
    if (line[at] != '\x1b') {
      plain += line[at];
      continue;
    }
    at = std::min(line.find('m', at), line.size() - 1);
  }
  return display_width(plain);
}

std::string time_of_day() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  localtime_r(&now, &parts);
  return fmt::format("{:02}:{:02}:{:02}", parts.tm_hour, parts.tm_min, parts.tm_sec);
}

}  // namespace

DisplayMode detect_display_mode() {
  const char* terminal = std::getenv("TERM");
  const bool is_dumb = terminal == nullptr || std::string_view{terminal} == "dumb";
  return isatty(STDERR_FILENO) == 1 && !is_dumb ? DisplayMode::live : DisplayMode::plain;
}

ProgressDisplay::ProgressDisplay(DisplayMode mode, ReadStats read)
    : mode_(mode), read_(std::move(read)), reported_at_(Clock::now()) {
  if (mode_ == DisplayMode::live) {
    write_terminal("\x1b[?25l");
    redirect_log(receive_log_line, this);
  }
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

ProgressDisplay::~ProgressDisplay() {
  close();
}

void ProgressDisplay::close() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
  if (mode_ != DisplayMode::live) return;
  redirect_log(nullptr, nullptr);
  const std::lock_guard lock(mutex_);
  write_terminal("\x1b[?25h");
}

void ProgressDisplay::run(const std::stop_token& stop) {
  pthread_setname_np(pthread_self(), "display");
  while (!stop.stop_requested()) {
    tick();
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, kFrameInterval, [] { return false; });
  }
  tick();
}

void ProgressDisplay::tick() {
  const StatsHistory::Time now = Clock::now();
  history_.add(now, read_());
  if (mode_ == DisplayMode::live) {
    draw();
  } else {
    report_plainly(now);
  }
}

void ProgressDisplay::draw() {
  const Screen screen = measure_screen();
  std::vector<std::string> lines = render_frame(history_, screen);
  const std::lock_guard lock(mutex_);
  std::string bytes = move_to_top(widths_, screen.width);
  widths_.clear();
  for (const std::string& line : lines) {
    // Text first, then the rest of the line is cleared: clearing first is what flickers.
    bytes += line + "\x1b[K\n";
    widths_.push_back(visible_width(line));
  }
  frame_ = std::move(lines);
  write_terminal(bytes + "\x1b[J");
}

void ProgressDisplay::print_above(std::string_view line) {
  const std::size_t width = measure_screen().width;
  const std::lock_guard lock(mutex_);
  std::string bytes = move_to_top(widths_, width);
  bytes += fmt::format("{} {}\x1b[K\n\x1b[J", time_of_day(), line);
  for (const std::string& old : frame_)
    bytes += old + "\n";
  write_terminal(bytes);
}

void ProgressDisplay::receive_log_line(std::string_view line, void* self) {
  static_cast<ProgressDisplay*>(self)->print_above(line);
}

void ProgressDisplay::report_plainly(StatsHistory::Time now) {
  std::string phases = describe_phases(history_.newest());
  const bool has_changed = phases != reported_phases_;
  if (!has_changed && now - reported_at_ < kReportInterval) return;
  reported_at_ = now;
  reported_phases_ = std::move(phases);
  log_progress(history_);
}

}  // namespace freshet
