#include "core/router.h"

#include <gtest/gtest.h>

namespace freshet {
namespace {

const TableName kTable{"public", "t"};

Snapshot snapshot_of(const char* text) {
  auto parsed = Snapshot::parse(text);
  EXPECT_TRUE(parsed.ok());
  return std::move(parsed).value();
}

TEST(Router, SkipsChangesOfATableThatIsNotReadYet) {
  Router router;
  router.add_pending(kTable);
  EXPECT_EQ(router.judge(kTable, Xid{700}), Verdict::skip);
}

TEST(Router, RefusesASnapshotThatMissesASkippedTransaction) {
  Router router;
  router.add_pending(kTable);
  EXPECT_EQ(router.judge(kTable, Xid{726}), Verdict::skip);
  EXPECT_FALSE(router.may_begin_copy(kTable, snapshot_of("726:727:726")));
  EXPECT_TRUE(router.may_begin_copy(kTable, snapshot_of("727:727:")));
}

TEST(Router, HoldsWhatTheSnapshotMissesAndSkipsWhatItSees) {
  Router router;
  router.add_pending(kTable);
  ASSERT_TRUE(router.may_begin_copy(kTable, snapshot_of("726:730:726,728")));
  router.begin_copy(kTable, snapshot_of("726:730:726,728"));
  EXPECT_EQ(router.judge(kTable, Xid{725}), Verdict::skip);
  EXPECT_EQ(router.judge(kTable, Xid{726}), Verdict::hold);
  EXPECT_EQ(router.judge(kTable, Xid{727}), Verdict::skip);
  EXPECT_EQ(router.judge(kTable, Xid{728}), Verdict::hold);
  EXPECT_EQ(router.judge(kTable, Xid{730}), Verdict::hold);
}

TEST(Router, HoldsEverythingUnderTheSlotsOwnSnapshot) {
  Router router;
  router.add_pending(kTable);
  router.begin_copy_of_slot(kTable);
  EXPECT_EQ(router.judge(kTable, Xid{1}), Verdict::hold);
  router.finish_copy(kTable, kNoLsn);
  EXPECT_TRUE(router.may_catch_up(kTable, Position{}));
}

TEST(Router, CatchesUpOnlyOnceTheStreamPassedTheEndOfTheCopy) {
  Router router;
  router.add_pending(kTable);
  router.begin_copy(kTable, snapshot_of("10:10:"));
  router.finish_copy(kTable, Lsn{5000});
  EXPECT_FALSE(router.may_catch_up(kTable, Position{Lsn{4999}}));
  EXPECT_TRUE(router.is_unsettled(kTable, Position{Lsn{4999}}));
  EXPECT_TRUE(router.may_catch_up(kTable, Position{Lsn{5000}}));
  EXPECT_FALSE(router.is_unsettled(kTable, Position{Lsn{5000}}));
  router.set_streaming(kTable);
  EXPECT_EQ(router.judge(kTable, Xid{11}), Verdict::apply);
  EXPECT_TRUE(router.is_all_streaming());
}

TEST(Router, ReconnectVoidsACopyUnderASnapshotOfOurOwnButNotTheSlots) {
  Router router;
  const TableName other{"public", "u"};
  router.add_pending(kTable);
  router.add_pending(other);
  router.begin_copy(kTable, snapshot_of("10:10:"));
  router.begin_copy_of_slot(other);
  EXPECT_TRUE(router.is_unsettled(kTable, Position{Lsn{1'000'000}}));
  EXPECT_FALSE(router.is_unsettled(other, Position{}));
}

TEST(Router, RestartedCopySkipsAgain) {
  Router router;
  router.add_pending(kTable);
  router.begin_copy(kTable, snapshot_of("10:10:"));
  EXPECT_EQ(router.judge(kTable, Xid{12}), Verdict::hold);
  router.restart_copy(kTable);
  EXPECT_EQ(router.judge(kTable, Xid{13}), Verdict::skip);
  EXPECT_FALSE(router.may_begin_copy(kTable, snapshot_of("12:14:13")));
}

TEST(HasPassed, ToleratesAPageHeaderThatHoldsNoRecordYet) {
  constexpr std::uint64_t kPage = 0x3000000;
  EXPECT_TRUE(has_passed(Position{Lsn{kPage}}, Lsn{kPage + 40}));
  EXPECT_TRUE(has_passed(Position{Lsn{kPage + 8192}}, Lsn{kPage + 8192 + 24}));
  EXPECT_FALSE(has_passed(Position{Lsn{kPage + 8192}}, Lsn{kPage + 8192 + 32}));
  EXPECT_FALSE(has_passed(Position{Lsn{kPage - 8}}, Lsn{kPage + 40}));
}

}  // namespace
}  // namespace freshet
