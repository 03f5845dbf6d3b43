// What the live display shows for given statistics.
#include "cli/display/frame.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/display/plain_report.h"
#include "cli/display/quantity.h"
#include "cli/display/text_width.h"

namespace freshet {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

TableStats table(std::string name, TablePhase phase) {
  TableStats stats;
  stats.destination = "vectors";
  stats.name = {"public", std::move(name)};
  stats.phase = phase;
  return stats;
}

PipelineStats statistics() {
  PipelineStats stats;
  stats.pipeline = "support";
  stats.activity = "copying";
  stats.received.end = Lsn{0x1'0000'0010};
  stats.acknowledged.end = Lsn{0x1'0000'0000};
  DestinationStats destination;
  destination.name = "vectors";
  destination.durable.end = Lsn{0x1'0000'0000};
  destination.lag = {.now_ms = 1.25, .p50_ms = 9, .p99_ms = 31, .max_ms = 1200};
  stats.destinations.push_back(destination);
  return stats;
}

/// Two snapshots, two seconds apart; the second as `change` makes it.
StatsHistory history_of(PipelineStats first, void (*change)(PipelineStats&)) {
  StatsHistory history;
  PipelineStats second = first;
  change(second);
  history.add(StatsHistory::Time{}, std::move(first));
  history.add(StatsHistory::Time{} + std::chrono::seconds{2}, std::move(second));
  return history;
}

TEST(Frame, ShowsABarWithRateAndTimeLeft) {
  PipelineStats stats = statistics();
  stats.tables = {table("calls", TablePhase::copying), table("runs", TablePhase::pending)};
  stats.tables[0].rows_estimated = 100'000;
  const StatsHistory history = history_of(stats, [](PipelineStats& later) {
    later.tables[0].rows_copied = 25'000;
    later.tables[0].bytes_copied = 3 << 20;
  });
  EXPECT_THAT(
      render_frame(history, {.width = 100, .height = 24}),
      ElementsAre(
          "freshet support  copying  00:02",
          "  calls   ██████▎░░░░░░░░░░░░░░░░░░  25 %  25.0k rows  3.00 MiB  12.5k/s  ETA 00:06",
          "  runs    pending    ",  //
          "  rate    12.5k rows/s  0 changes/s  0 B/s received",
          "  lag     now 1.2 ms  p50 9.0 ms  p99 31 ms  max 1.2 s",
          "  wal     received 1/10  acknowledged 1/0  vectors 1/0"));
}

TEST(Frame, AnEstimateThatWasTooLowIsNeverDone) {
  PipelineStats stats = statistics();
  stats.tables = {table("calls", TablePhase::copying)};
  stats.tables[0].rows_estimated = 10;
  const StatsHistory history =
      history_of(stats, [](PipelineStats& later) { later.tables[0].rows_copied = 500; });
  EXPECT_THAT(render_frame(history, {.width = 100, .height = 24}).at(1), HasSubstr(" 99 %"));
}

TEST(Frame, SumsUpTablesThatDoNotFit) {
  PipelineStats stats = statistics();
  for (int i = 0; i < 40; ++i) {
    stats.tables.push_back(table("t" + std::to_string(i), TablePhase::streaming));
  }
  stats.tables[39].phase = TablePhase::errored;
  const StatsHistory history = history_of(stats, [](PipelineStats&) {});
  const auto lines = render_frame(history, {.width = 80, .height = 10});
  ASSERT_THAT(lines, SizeIs(9));
  EXPECT_THAT(lines[1], HasSubstr("t39"));
  EXPECT_EQ(lines[5], "  and 36 more: 36 streaming");
}

TEST(Frame, FitsAnyScreen) {
  PipelineStats stats = statistics();
  stats.pipeline = std::string(100, 'p');
  stats.tables = {table("データベース表名前前前前前前前前", TablePhase::copying),
                  table(std::string("evil\x1b[2J\nname"), TablePhase::streaming)};
  const StatsHistory history = history_of(stats, [](PipelineStats&) {});
  for (std::size_t width = 1; width < 120; ++width) {
    for (std::size_t height = 1; height < 12; ++height) {
      const auto lines = render_frame(history, {.width = width, .height = height});
      EXPECT_LE(lines.size(), std::max<std::size_t>(height - 1, 1));
      for (const std::string& line : lines) {
        EXPECT_LE(display_width(line), width);
        EXPECT_EQ(line.find('\x1b'), std::string::npos);
      }
    }
  }
}

TEST(Frame, HasNoEscapesWithoutColor) {
  const StatsHistory history = history_of(statistics(), [](PipelineStats&) {});
  EXPECT_THAT(render_frame(history, {.width = 80, .height = 24}), Each(Not(HasSubstr("\x1b"))));
  EXPECT_THAT(render_frame(history, {.width = 80, .height = 24, .has_color = true}).at(0),
              HasSubstr("\x1b[1m"));
}

TEST(History, RatesAreOfTheLastSecondsAndNeverNegative) {
  StatsHistory history;
  PipelineStats stats = statistics();
  for (int second = 0; second <= 20; ++second) {
    stats.destinations[0].changes_applied += second < 10 ? 0U : 800U;
    history.add(StatsHistory::Time{} + std::chrono::seconds{second}, stats);
  }
  EXPECT_DOUBLE_EQ(history.change_rate(), 800);
  stats.destinations[0].changes_applied = 0;
  history.add(StatsHistory::Time{} + std::chrono::seconds{21}, stats);
  EXPECT_DOUBLE_EQ(history.change_rate(), 0);
  EXPECT_DOUBLE_EQ(history.elapsed_seconds(), 21);
}

TEST(TextWidth, CountsColumnsNotBytes) {
  EXPECT_EQ(display_width("naïve"), 5U);
  EXPECT_EQ(display_width("表"), 2U);
  EXPECT_EQ(display_width("e\u0301"), 1U);
  EXPECT_EQ(fit("abcdef", 4), "abc…");
  EXPECT_EQ(fit("表表表", 4), "表…");
  EXPECT_EQ(pad("ab", 4), "ab  ");
  EXPECT_EQ(fit("a\x1b\xff", 9), "a??");
}

TEST(Quantity, KeepsThreeDigits) {
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(12'345), "12.3k");
  EXPECT_EQ(format_bytes(1536), "1.50 KiB");
  EXPECT_EQ(format_milliseconds(0.84), "0.8 ms");
  EXPECT_EQ(format_milliseconds(3'141), "3.1 s");
  EXPECT_EQ(format_clock(3'723), "1:02:03");
}

TEST(PlainReport, CountsPhases) {
  PipelineStats stats;
  EXPECT_EQ(describe_phases(stats), "");
  stats.tables = {table("a", TablePhase::streaming), table("b", TablePhase::copying),
                  table("c", TablePhase::streaming)};
  EXPECT_EQ(describe_phases(stats), "copying=1 streaming=2");
}

}  // namespace
}  // namespace freshet
