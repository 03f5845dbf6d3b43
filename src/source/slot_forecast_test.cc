#include "source/slot_forecast.h"

#include <gtest/gtest.h>

namespace freshet::source {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::int64_t kMebibyte = 1 << 20;

// A slot that may keep 1000 MiB, looked at each five seconds.
class SlotForecastTest : public testing::Test {
 protected:
  // Writes so much each five seconds; `acknowledged` of it is kept no longer.
  std::optional<SlotDanger> write(double mebibytes, double acknowledged = 0) {
    now_ += seconds(5);
    written_ += static_cast<std::int64_t>(mebibytes * kMebibyte);
    retained_ += static_cast<std::int64_t>((mebibytes - acknowledged) * kMebibyte);
    return forecast_.look(now_look());
  }

  SlotLook now_look() const {
    SlotLook look{.at = now_,
                  .written = Lsn{static_cast<std::uint64_t>(written_)},
                  .retained_wal_bytes = retained_,
                  .safe_wal_bytes = {}};
    if (has_limit_) look.safe_wal_bytes = 1000 * kMebibyte - retained_;
    return look;
  }

  // The dangers that were told of in so many looks, as letters.
  std::string write_often(int times, double mebibytes, double acknowledged = 0) {
    std::string told;
    for (int i = 0; i < times; ++i) {
      const auto news = write(mebibytes, acknowledged);
      if (news) told += *news == SlotDanger::none ? 'o' : *news == SlotDanger::near ? 'n' : 'i';
    }
    return told;
  }

  SlotForecast forecast_;
  std::chrono::steady_clock::time_point now_{};
  std::int64_t written_ = kMebibyte;
  std::int64_t retained_ = 0;
  bool has_limit_ = true;
};

TEST_F(SlotForecastTest, TellsHowLongTheRoomLasts) {
  EXPECT_FALSE(forecast_.time_left());
  write(5);
  EXPECT_FALSE(forecast_.time_left());  // one look is no rate
  write(5);
  EXPECT_EQ(forecast_.time_left(), seconds(990));  // 990 MiB at 1 MiB/s
}

TEST_F(SlotForecastTest, TheRateIsTakenOverAMinute) {
  write_often(12, 0);
  write(60);
  EXPECT_EQ(forecast_.time_left(), seconds(940));  // 60 MiB in the last minute
  write_often(12, 0);
  EXPECT_FALSE(forecast_.time_left());
}

TEST_F(SlotForecastTest, LooksThatAreFarApartMakeARateToo) {
  write(0);
  now_ += minutes(10);
  write(605);
  EXPECT_EQ(forecast_.time_left(), seconds(395));
}

TEST_F(SlotForecastTest, EachDangerIsToldOfOnceAndSoIsItsEnd) {
  EXPECT_EQ(write_often(100, 1), "");   // 900 MiB, 0.2 MiB/s: 75 minutes
  EXPECT_EQ(write_often(600, 1), "n");  // 300 MiB: 25 minutes
  EXPECT_EQ(forecast_.danger(), SlotDanger::near);
  EXPECT_EQ(write_often(250, 1), "i");
  EXPECT_LT(*forecast_.time_left(), minutes(5));
  EXPECT_EQ(write_often(20, 1, 50), "no");
  EXPECT_EQ(forecast_.danger(), SlotDanger::none);
}

TEST_F(SlotForecastTest, WhatComesAndGoesAroundALimitIsNoNews) {
  EXPECT_EQ(write_often(690, 1), "n");
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(write_often(10, 1, 4), "");
    EXPECT_EQ(write_often(30, 1), "");
  }
}

TEST_F(SlotForecastTest, APauseOfTheWritersIsNoEndOfTheDanger) {
  EXPECT_EQ(write_often(690, 1), "n");
  EXPECT_EQ(write_often(100, 0), "");
  EXPECT_FALSE(forecast_.time_left());
  EXPECT_EQ(write_often(10, 1), "");
}

TEST_F(SlotForecastTest, ASlotThatKeepsUpIsInNoDangerHoweverMuchIsWritten) {
  EXPECT_EQ(write_often(100, 300, 300), "");
  EXPECT_LT(*forecast_.time_left(), minutes(5));
}

TEST_F(SlotForecastTest, NothingIsLeftOnceTheServerMayRemoveWhatIsNeeded) {
  retained_ = 1001 * kMebibyte;
  EXPECT_EQ(write(0), SlotDanger::imminent);
  EXPECT_EQ(forecast_.time_left(), seconds(0));
}

TEST_F(SlotForecastTest, WithoutALimitTheSlotLastsForEver) {
  has_limit_ = false;
  EXPECT_EQ(write_often(100, 100), "");
  EXPECT_FALSE(forecast_.time_left());
}

TEST_F(SlotForecastTest, ALimitThatIsTakenAwayEndsTheDanger) {
  EXPECT_EQ(write_often(690, 1), "n");
  has_limit_ = false;
  EXPECT_EQ(write(1), SlotDanger::none);
}

TEST_F(SlotForecastTest, AServerThatWentBackHasNoRateAtFirst) {
  write_often(10, 5);
  written_ -= 20 * kMebibyte;
  write(0);
  EXPECT_FALSE(forecast_.time_left());
  write(5);
  EXPECT_TRUE(forecast_.time_left());
}

}  // namespace
}  // namespace freshet::source
