// Shows a running pipeline: a block redrawn in place on a terminal, log lines elsewhere.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "cli/display/frame.h"
#include "cli/display/history.h"
#include "pipeline/stats.h"

namespace freshet {

/// Asked a few times a second, from the display's own thread.
using ReadStats = std::function<PipelineStats()>;

/// Live on stderr, if that is a terminal fit for it; log lines otherwise.
enum class DisplayMode : unsigned char { live, plain };
/// `live` if stderr is a terminal that can move its cursor.
DisplayMode detect_display_mode();

/// Shows from construction until close(). While a live one exists it owns stderr: log lines go
/// through it and appear above the block.
class ProgressDisplay {
 public:
  ProgressDisplay(DisplayMode mode, ReadStats read);
  ~ProgressDisplay();
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;

  /// Draws the last state, leaves it standing and gives stderr back. A second call does nothing.
  void close();

 private:
  void run(const std::stop_token& stop);
  void tick();
  void draw();
  void report_plainly(StatsHistory::Time now);
  void print_above(std::string_view line);
  static void receive_log_line(std::string_view line, void* self);

  DisplayMode mode_;
  ReadStats read_;
  StatsHistory history_;            // the thread's own
  StatsHistory::Time reported_at_;  // the same
  std::string reported_phases_;     // the same
  std::mutex mutex_;                // guards what follows, and writing to the terminal
  std::condition_variable_any wake_;
  std::vector<std::string> frame_;   // as it stands on the terminal
  std::vector<std::size_t> widths_;  // of its lines
  std::jthread thread_;
};

}  // namespace freshet
