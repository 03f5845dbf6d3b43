#include "source/burst_pace.h"

#include <gtest/gtest.h>

namespace freshet::source {
namespace {

using namespace std::chrono_literals;

class BurstPaceTest : public ::testing::Test {
 protected:
  /// A socket that is emptied after `time`.
  void drain(std::size_t bytes, BurstPace::Clock::duration time) {
    now_ += time;
    pace_.drained(bytes, now_);
  }

  /// A server that makes `rate` bytes a second and holds at most `room` of them.
  void serve(double rate, std::size_t room, int bursts) {
    for (int i = 0; i < bursts; ++i) {
      const auto time = pace_.nap() + 1ms;
      const double made = rate * std::chrono::duration<double>(time).count();
      drain(std::min(static_cast<std::size_t>(made), room), time);
    }
  }

  BurstPace pace_;
  BurstPace::Clock::time_point now_{1h};
};

TEST_F(BurstPaceTest, LoneCommitsAreReadAtOnce) {
  for (int i = 0; i < 2000; ++i) {
    drain(300, 1250us);
    ASSERT_EQ(pace_.nap(), 0us);
  }
}

TEST_F(BurstPaceTest, BacklogIsLeftToGatherAndItsEndNoticed) {
  for (int i = 0; i < 100 && pace_.nap() == 0us; ++i)
    drain(5000, 500us);
  EXPECT_EQ(pace_.nap(), BurstPace::kNapMax);
  drain(1 << 20, 21ms);
  EXPECT_EQ(pace_.nap(), BurstPace::kNapMax);
  drain(1000, 21ms);
  EXPECT_EQ(pace_.nap(), 0us);
}

TEST_F(BurstPaceTest, OneLargeTransactionAfterSilenceIsNoBacklog) {
  drain(100, 1ms);
  drain(500'000, 10s);
  EXPECT_EQ(pace_.nap(), 0us);
}

TEST_F(BurstPaceTest, NapsAsLongAsTheServerHasRoom) {
  serve(100e6, std::size_t{1} << 40, 2000);
  EXPECT_GE(pace_.nap(), BurstPace::kNapMax / 2);  // while a shorter one is on trial
}

TEST_F(BurstPaceTest, SmallSendBufferMakesNapsShort) {
  serve(100e6, 200'000, 2000);
  EXPECT_LE(pace_.nap(), 5ms);
  // A server that has room again gets its long naps back.
  serve(100e6, std::size_t{1} << 40, 3000);
  EXPECT_GE(pace_.nap(), BurstPace::kNapMax / 2);
}

}  // namespace
}  // namespace freshet::source
