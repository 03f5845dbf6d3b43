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
  EXPECT_EQ(router.judge(kTable, {.xid = Xid{700}}), Verdict::skip);
}

TEST(Router, RefusesASnapshotThatMissesASkippedTransaction) {
  Router router;
  router.add_pending(kTable);
  EXPECT_EQ(router.judge(kTable, {.xid = Xid{726}}), Verdict::skip);
  EXPECT_FALSE(router.may_begin_copy(kTable, snapshot_of("726:727:726")));
  EXPECT_TRUE(router.may_begin_copy(kTable, snapshot_of("727:727:")));
}

TEST(Router, HoldsWhatTheSnapshotMissesAndSkipsWhatItSees) {
  Router router;
  router.add_pending(kTable);
  ASSERT_TRUE(router.may_begin_copy(kTable, snapshot_of("726:730:726,728")));
  router.begin_copy(kTable, snapshot_of("726:730:726,728"));
  EXPECT_EQ(router.judge(kTable, {.xid = Xid{725}}), Verdict::skip);
  EXPECT_EQ(router.judge(kTable, {.xid = Xid{726}}), Verdict::hold);
  EXPECT_EQ(router.judge(kTable, {.xid = Xid{727}}), Verdict::skip);
  EXPECT_EQ(router.judge(kTable, {.xid = Xid{728}}), Verdict::hold);
  EXPECT_EQ(router.judge(kTable, {.xid = Xid{730}}), Verdict::hold);
}

TEST(Router, HoldsEverythingUnderTheSlotsOwnSnapshot) {
  Router router;
  router.add_pending(kTable);
  router.begin_copy_of_slot(kTable);
  EXPECT_EQ(router.judge(kTable, {.xid = Xid{1}}), Verdict::hold);
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
  EXPECT_EQ(router.judge(kTable, {.xid = Xid{11}}), Verdict::apply);
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
  EXPECT_EQ(router.judge(kTable, {.xid = Xid{12}}), Verdict::hold);
  router.restart_copy(kTable);
  EXPECT_EQ(router.judge(kTable, {.xid = Xid{13}}), Verdict::skip);
  EXPECT_FALSE(router.may_begin_copy(kTable, snapshot_of("12:14:13")));
}

Snapshot on_standby(const char* text, Replayed replayed) {
  auto parsed = Snapshot::parse(text, replayed);
  EXPECT_TRUE(parsed.ok());
  return std::move(parsed).value();
}

TEST(Router, GoesByLsnUnderAStandbysSnapshot) {
  Router router;
  router.add_pending(kTable);
  router.begin_copy(kTable, on_standby("10:20:", {.before = Lsn{500}, .after = Lsn{600}}));
  EXPECT_EQ(router.judge(kTable, {.xid = Xid{15}, .commit = Lsn{450}, .end = Lsn{500}}),
            Verdict::skip);
  EXPECT_EQ(router.judge(kTable, {.xid = Xid{9}, .commit = Lsn{510}, .end = Lsn{550}}),
            Verdict::skip);
  EXPECT_EQ(router.judge(kTable, {.xid = Xid{20}, .commit = Lsn{510}, .end = Lsn{560}}),
            Verdict::hold);
  EXPECT_EQ(router.judge(kTable, {.xid = Xid{11}, .commit = Lsn{641}, .end = Lsn{680}}),
            Verdict::hold);
  EXPECT_EQ(router.phase(kTable), TablePhase::copying);
  EXPECT_FALSE(router.is_unsettled(kTable, Position{})) << "a standby has flushed what it shows";
}

TEST(Router, VoidsACopyWhoseSnapshotMayOrMayNotSeeATransaction) {
  Router router;
  router.add_pending(kTable);
  router.begin_copy(kTable, on_standby("10:20:", {.before = Lsn{500}, .after = Lsn{600}}));
  // Its commit is being replayed: it may be seen before the standby says that it has come so far.
  EXPECT_EQ(router.judge(kTable, {.xid = Xid{15}, .commit = Lsn{600}, .end = Lsn{640}}),
            Verdict::skip);
  EXPECT_EQ(router.phase(kTable), TablePhase::pending);
  EXPECT_FALSE(
      router.may_begin_copy(kTable, on_standby("10:20:", {.before = Lsn{639}, .after = Lsn{700}})));
  EXPECT_TRUE(
      router.may_begin_copy(kTable, on_standby("10:20:", {.before = Lsn{640}, .after = Lsn{700}})));
}

TEST(Router, AStandbysSnapshotMustHaveAllThatWasEverStreamed) {
  Router router{Position{Lsn{400}}};
  router.add_pending(kTable);
  const auto at = [](std::uint64_t before) {
    return on_standby("10:10:", {.before = Lsn{before}, .after = Lsn{before}});
  };
  EXPECT_FALSE(router.may_begin_copy(kTable, at(399))) << "an earlier process was sent more";
  ASSERT_TRUE(router.may_begin_copy(kTable, at(400)));
  router.begin_copy(kTable, at(400));
  EXPECT_EQ(router.judge(kTable, {.xid = Xid{12}, .commit = Lsn{441}, .end = Lsn{450}}),
            Verdict::hold);
  router.restart_copy(kTable);
  EXPECT_FALSE(router.may_begin_copy(kTable, at(449))) << "what was held is thrown away";
  EXPECT_TRUE(router.may_begin_copy(kTable, at(450)));
}

TEST(HasPassed, ToleratesAPageHeaderThatHoldsNoRecordYet) {
  constexpr std::uint64_t kPage = 0x3000000;
  EXPECT_TRUE(has_passed(Position{Lsn{kPage}}, Lsn{kPage + 40}));
  EXPECT_TRUE(has_passed(Position{Lsn{kPage + 8192}}, Lsn{kPage + 8192 + 24}));
  EXPECT_FALSE(has_passed(Position{Lsn{kPage + 8192}}, Lsn{kPage + 8192 + 32}));
  EXPECT_FALSE(has_passed(Position{Lsn{kPage - 8}}, Lsn{kPage + 40}));
}

TEST(Router, JudgesATableInChunksByKey) {
  Router router;
  router.add_pending(kTable);
  EXPECT_EQ(router.judge(kTable, {.xid = Xid{9}}), Verdict::skip);
  router.begin_chunked_copy(kTable, {"id"}, 7);
  EXPECT_EQ(router.judge(kTable, {.xid = Xid{10}}), Verdict::by_key);
  EXPECT_EQ(router.judge_key(kTable, "a", Xid{10}).verdict, Verdict::skip);
  EXPECT_FALSE(router.may_begin_chunk(kTable, snapshot_of("10:11:10")))
      << "misses what was skipped";
  ASSERT_TRUE(router.may_begin_chunk(kTable, snapshot_of("12:14:12")));
  const ChunkId chunk = router.begin_chunk(kTable, {"", "m"}, snapshot_of("12:14:12"));

  EXPECT_EQ(router.judge_key(kTable, "a", Xid{12}), (KeyVerdict{Verdict::hold, chunk}));
  EXPECT_EQ(router.judge_key(kTable, "a", Xid{13}), (KeyVerdict{Verdict::skip, chunk}));
  EXPECT_EQ(router.judge_key(kTable, "m", Xid{12}), (KeyVerdict{Verdict::skip, ChunkId{0}}));
  ASSERT_TRUE(router.finish_chunk(kTable, chunk, Lsn{500}));
  EXPECT_EQ(router.judge_key(kTable, "a", Xid{12}), (KeyVerdict{Verdict::apply, chunk}));
  EXPECT_EQ(router.judge_key(kTable, "a", Xid{13}), (KeyVerdict{Verdict::skip, chunk}));

  EXPECT_FALSE(router.may_begin_chunk(kTable, snapshot_of("12:15:12")));
  ASSERT_TRUE(router.may_begin_chunk(kTable, snapshot_of("15:15:")));
  const ChunkId last = router.begin_chunk(kTable, {"m", {}}, snapshot_of("15:15:"));
  EXPECT_FALSE(router.has_all_chunks(kTable));
  ASSERT_TRUE(router.finish_chunk(kTable, last, Lsn{900}));
  ASSERT_TRUE(router.has_all_chunks(kTable));
  router.finish_copy(kTable, router.chunks_read_upto(kTable));
  EXPECT_FALSE(router.may_catch_up(kTable, Position{Lsn{899}}));
  EXPECT_EQ(router.judge(kTable, {.xid = Xid{16}}), Verdict::by_key)
      << "until the last chunk is settled";
  EXPECT_TRUE(router.may_catch_up(kTable, Position{Lsn{900}}));
  router.set_streaming(kTable);
  EXPECT_EQ(router.judge(kTable, {.xid = Xid{16}}), Verdict::apply);
}

TEST(Router, ResumedChunksKeepTheirSnapshots) {
  Router router;
  router.add_pending(kTable);
  router.begin_chunked_copy(kTable, {"id"}, 7);
  router.resume_chunk(kTable, {"", "m"}, snapshot_of("12:14:12"), Lsn{500});
  EXPECT_EQ(router.judge_key(kTable, "a", Xid{13}).verdict, Verdict::skip);
  EXPECT_EQ(router.judge_key(kTable, "a", Xid{12}).verdict, Verdict::apply);
  EXPECT_EQ(router.unread(kTable), (std::vector<KeyRange>{{"m", {}}}));
}

TEST(Router, KnowsWhetherATransactionIsInEveryChunk) {
  Router router;
  router.add_pending(kTable);
  router.begin_chunked_copy(kTable, {"id"}, 7);
  router.resume_chunk(kTable, {"", "m"}, snapshot_of("12:14:12"), Lsn{500});
  EXPECT_FALSE(router.is_seen_by_all_chunks(kTable, Xid{12}));
  EXPECT_TRUE(router.is_seen_by_all_chunks(kTable, Xid{13}));
  EXPECT_FALSE(router.may_begin_chunk(kTable, snapshot_of("13:14:13"))) << "13 was skipped";
  EXPECT_TRUE(router.may_begin_chunk(kTable, snapshot_of("14:14:")));
}

TEST(Router, AChunkReadAgainMustSeeWhatWaitedForIt) {
  Router router;
  router.add_pending(kTable);
  router.begin_chunked_copy(kTable, {"id"}, 7);
  const ChunkId chunk = router.begin_chunk(kTable, {"", {}}, snapshot_of("20:21:20"));
  EXPECT_EQ(router.judge_key(kTable, "a", Xid{20}).verdict, Verdict::hold);
  router.drop_chunk(kTable, chunk);
  EXPECT_FALSE(router.finish_chunk(kTable, chunk, Lsn{500}));
  EXPECT_FALSE(router.may_begin_chunk(kTable, snapshot_of("20:22:20")));
  EXPECT_TRUE(router.may_begin_chunk(kTable, snapshot_of("22:22:")));
}

TEST(Router, ACopyThatMustBeWholeStaysSo) {
  Router router;
  router.add_pending(kTable);
  router.begin_chunked_copy(kTable, {"id"}, 7);
  router.resume_chunk(kTable, {"", {}}, snapshot_of("12:12:"), Lsn{500});
  router.restart_copy_whole(kTable);
  router.restart_copy(kTable);
  EXPECT_FALSE(router.is_chunked(kTable));
  EXPECT_FALSE(router.may_copy_in_chunks(kTable));
}

}  // namespace
}  // namespace freshet
