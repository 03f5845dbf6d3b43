// What the live display shows, as lines of text. Pure: no clock, no terminal.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "cli/display/history.h"

namespace freshet {

struct Screen {
  std::size_t width = 80;
  std::size_t height = 24;
  bool has_color = false;
};

/// At most height - 1 lines, none wider than the screen: a bar for each table being copied, then
/// rates, lag and positions. Tables that do not fit are summed up in one line.
std::vector<std::string> render_frame(const StatsHistory& history, const Screen& screen);

}  // namespace freshet
