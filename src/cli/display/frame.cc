#include "cli/display/frame.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "cli/display/quantity.h"
#include "cli/display/text_width.h"

namespace freshet {
namespace {

enum class Style : unsigned char { plain, bold, dim, good, active, bad };

std::string_view code_of(Style style) {
  switch (style) {
    case Style::plain:
      return "";
    case Style::bold:
      return "\x1b[1m";
    case Style::dim:
      return "\x1b[2m";
    case Style::good:
      return "\x1b[32m";
    case Style::active:
      return "\x1b[36m";
    case Style::bad:
      return "\x1b[1;31m";
  }
  return "";
}

/// One line, cut at the screen's width as it is put together.
class Line {
 public:
  explicit Line(const Screen& screen) : screen_(screen) {}

  Line& add(std::string_view text, Style style = Style::plain) {
    const std::string fitted = fit(text, screen_.width - width_);
    if (fitted.empty()) return *this;
    width_ += display_width(fitted);
    const bool is_styled = screen_.has_color && style != Style::plain;
    text_ += is_styled ? fmt::format("{}{}\x1b[0m", code_of(style), fitted) : fitted;
    return *this;
  }

  std::string take() { return std::move(text_); }

 private:
  const Screen& screen_;
  std::string text_;
  std::size_t width_ = 0;
};

Style style_of(TablePhase phase) {
  switch (phase) {
    case TablePhase::streaming:
      return Style::good;
    case TablePhase::copying:
    case TablePhase::catching_up:
      return Style::active;
    case TablePhase::errored:
      return Style::bad;
    case TablePhase::pending:
    case TablePhase::paused:
      return Style::dim;
  }
  return Style::plain;
}

/// What needs attention comes first, what runs smoothly last.
int rank_of(TablePhase phase) {
  switch (phase) {
    case TablePhase::errored:
      return 0;
    case TablePhase::copying:
      return 1;
    case TablePhase::catching_up:
      return 2;
    case TablePhase::paused:
      return 3;
    case TablePhase::pending:
      return 4;
    case TablePhase::streaming:
      return 5;
  }
  return 6;
}

std::string table_label(const TableStats& table, bool has_several_destinations) {
  const std::string name = table.name.schema == "public" ? table.name.table : to_string(table.name);
  return has_several_destinations ? fmt::format("{} → {}", name, table.destination) : name;
}

std::string bar(double share, std::size_t columns) {
  static constexpr std::array<std::string_view, 8> kParts{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const double filled = std::clamp(share, 0.0, 1.0) * static_cast<double>(columns);
  const auto whole = static_cast<std::size_t>(filled);
  std::string text;
  for (std::size_t i = 0; i < whole; ++i)
    text += "█";
  std::size_t used = whole;
  const auto part = static_cast<std::size_t>((filled - static_cast<double>(whole)) * 8);
  if (used < columns && part > 0) {
    text += kParts[part];
    ++used;
  }
  for (; used < columns; ++used)
    text += "░";
  return text;
}

class Frame {
 public:
  Frame(const StatsHistory& history, const Screen& screen)
      : history_(history), stats_(history.newest()), screen_(screen) {}

  std::vector<std::string> render() {
    std::vector<std::string> foot = status_lines();
    const std::size_t most = screen_.height > 1 ? screen_.height - 1 : 1;
    lines_.push_back(headline());
    const std::size_t taken = lines_.size() + foot.size();
    add_tables(most > taken ? most - taken : 0);
    lines_.insert(lines_.end(), foot.begin(), foot.end());
    if (lines_.size() > most) lines_.resize(most);
    return std::move(lines_);
  }

 private:
  Line line() const { return Line(screen_); }

  std::string headline() const {
    Line text = line();
    text.add("freshet ", Style::dim).add(stats_.pipeline, Style::bold);
    if (!stats_.activity.empty()) text.add("  ").add(stats_.activity, Style::active);
    text.add("  ").add(format_clock(history_.elapsed_seconds()), Style::dim);
    if (stats_.reconnects > 0) {
      text.add(fmt::format("  {} reconnects", stats_.reconnects), Style::bad);
    }
    return text.take();
  }

  void add_tables(std::size_t room) {
    std::vector<const TableStats*> tables;
    for (const TableStats& table : stats_.tables)
      tables.push_back(&table);
    std::stable_sort(tables.begin(), tables.end(), [](const auto* a, const auto* b) {
      return rank_of(a->phase) < rank_of(b->phase);
    });
    const bool fits = tables.size() <= room;
    const std::size_t shown = fits ? tables.size() : (room > 0 ? room - 1 : 0);
    set_label_width(tables, shown);
    for (std::size_t i = 0; i < shown; ++i)
      lines_.push_back(table_line(*tables[i]));
    if (!fits && room > 0) lines_.push_back(rest_line(tables, shown));
  }

  void set_label_width(const std::vector<const TableStats*>& tables, std::size_t shown) {
    label_width_ = 6;
    for (std::size_t i = 0; i < shown; ++i) {
      label_width_ = std::max(label_width_, display_width(label(*tables[i])));
    }
    label_width_ = std::min(label_width_, std::max<std::size_t>(screen_.width / 3, 6));
  }

  std::string label(const TableStats& table) const {
    return table_label(table, stats_.destinations.size() > 1);
  }

  std::string table_line(const TableStats& table) const {
    Line text = line();
    text.add("  ").add(pad(label(table), label_width_)).add("  ");
    if (table.phase == TablePhase::copying) {
      add_progress(text, table);
      return text.take();
    }
    text.add(pad(to_string(table.phase), 11), style_of(table.phase));
    if (table.rows_copied > 0) {
      text.add(
          fmt::format("  {} rows copied", format_count(static_cast<double>(table.rows_copied))));
    }
    if (table.changes_applied > 0) {
      text.add(
          fmt::format("  {} changes", format_count(static_cast<double>(table.changes_applied))));
    }
    add_conflicts(text, table.conflicts);
    return text.take();
  }

  static void add_conflicts(Line& text, const ConflictCounts& counts) {
    const auto add = [&](std::uint64_t count, const char* what) {
      if (count == 0) return;
      text.add(fmt::format("  {} {}", format_count(static_cast<double>(count)), what), Style::bad);
    };
    add(counts.skipped, "skipped");
    add(counts.source_won, "source won");
    add(counts.quarantined, "quarantined");
  }

  void add_progress(Line& text, const TableStats& table) const {
    const auto copied = static_cast<double>(table.rows_copied);
    const auto estimated = static_cast<double>(table.rows_estimated);
    const double rate = history_.copied_row_rate(table);
    // An estimate is no promise: rows past it must not show as done, nor more than done.
    const double share = estimated <= 0 ? 0 : std::min(copied / estimated, 0.99);
    const std::size_t columns = std::clamp<std::size_t>(screen_.width / 4, 8, 30);
    text.add(bar(share, columns), Style::active);
    text.add(estimated > 0 ? fmt::format(" {:3.0f} %", std::floor(share * 100)) : "   ? %");
    text.add(fmt::format("  {} rows  {}  {}/s", format_count(copied),
                         format_bytes(static_cast<double>(table.bytes_copied)),
                         format_count(rate)));
    if (estimated > copied && rate > 0) {
      text.add("  ETA " + format_clock((estimated - copied) / rate), Style::dim);
    }
  }

  std::string rest_line(const std::vector<const TableStats*>& tables, std::size_t shown) const {
    std::map<int, std::pair<TablePhase, std::size_t>> counts;
    for (std::size_t i = shown; i < tables.size(); ++i) {
      auto& [phase, count] = counts[rank_of(tables[i]->phase)];
      phase = tables[i]->phase;
      ++count;
    }
    std::string text = fmt::format("  and {} more:", tables.size() - shown);
    for (const auto& [rank, entry] : counts) {
      text += fmt::format("{} {} {}", rank == counts.begin()->first ? "" : ",", entry.second,
                          to_string(entry.first));
    }
    return line().add(text, Style::dim).take();
  }

  std::vector<std::string> status_lines() const {
    std::vector<std::string> lines;
    lines.push_back(rate_line());
    for (const DestinationStats& destination : stats_.destinations) {
      lines.push_back(lag_line(destination));
    }
    lines.push_back(position_line());
    return lines;
  }

  std::string rate_line() const {
    Line text = line();
    text.add("  rate    ", Style::dim);
    const double rows = history_.copied_row_rate();
    if (rows > 0) text.add(fmt::format("{} rows/s  ", format_count(rows)), Style::bold);
    text.add(fmt::format("{} changes/s", format_count(history_.change_rate())), Style::bold);
    text.add(fmt::format("  {}/s received", format_bytes(history_.received_byte_rate())));
    if (stats_.texts_embedded > 0) {
      text.add(fmt::format("  {} texts/s embedded", format_count(history_.embedding_rate())));
    }
    return text.take();
  }

  std::string lag_line(const DestinationStats& destination) const {
    Line text = line();
    text.add("  lag     ", Style::dim);
    if (stats_.destinations.size() > 1) text.add(destination.name + "  ");
    const LagStats& lag = destination.lag;
    text.add("now ", Style::dim).add(format_milliseconds(lag.now_ms), Style::bold);
    text.add("  p50 ", Style::dim).add(format_milliseconds(lag.p50_ms));
    text.add("  p99 ", Style::dim).add(format_milliseconds(lag.p99_ms));
    text.add("  max ", Style::dim).add(format_milliseconds(lag.max_ms));
    return text.take();
  }

  std::string position_line() const {
    Line text = line();
    text.add("  wal     ", Style::dim);
    text.add(fmt::format("received {}  acknowledged {}", to_string(stats_.received.end),
                         to_string(stats_.acknowledged.end)));
    for (const DestinationStats& destination : stats_.destinations) {
      text.add(fmt::format("  {} {}", destination.name, to_string(destination.durable.end)),
               Style::dim);
    }
    if (stats_.is_caught_up) text.add("  caught up", Style::good);
    return text.take();
  }

  const StatsHistory& history_;
  const PipelineStats& stats_;
  const Screen& screen_;
  std::size_t label_width_ = 0;
  std::vector<std::string> lines_;
};

}  // namespace

std::vector<std::string> render_frame(const StatsHistory& history, const Screen& screen) {
  if (history.empty() || screen.width == 0) return {};
  return Frame(history, screen).render();
}

}  // namespace freshet
