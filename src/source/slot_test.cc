#include "source/slot.h"

#include <gtest/gtest.h>

#include "source/replication_command.h"
#include "source/snapshot_copy.h"

namespace freshet::source {
namespace {

IdentityCheck good_check() {
  IdentityCheck check{
      .stored = {.system_identifier = "77",
                 .timeline = 1,
                 .slot_name = "s",
                 .consistent_point = Lsn{100},
                 .epoch = "e"},
      .now = {.system_identifier = "77", .timeline = 1, .flushed = Lsn{900}, .database = "d"},
      .slot = SlotRow{},
      .least_durable = Position{Lsn{200}}};
  check.slot->name = "s";
  check.slot->plugin = "pgoutput";
  check.slot->database = "d";
  check.slot->restart = Lsn{90};
  check.slot->confirmed_flush = Lsn{200};
  check.slot->wal_status = WalStatus::reserved;
  return check;
}

void expect_gap(const IdentityCheck& check) {
  const Status status = check_identity(check);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind(), ErrorKind::gap);
}

TEST(CheckIdentity, TheSlotThatWeLeftIsFine) {
  IdentityCheck check = good_check();
  EXPECT_TRUE(check_identity(check).ok());
  check.slot->confirmed_flush = Lsn{150};
  EXPECT_TRUE(check_identity(check).ok());
}

TEST(CheckIdentity, APromotedStandbyIsFineIfItHasWhatTheDestinationsHave) {
  IdentityCheck check = good_check();
  check.now.timeline = 2;
  check.greatest = Position{Lsn{300}};
  check.timeline_end = Lsn{300};
  EXPECT_TRUE(check_identity(check).ok());
  check.timeline_end = Lsn{299};
  expect_gap(check);
  check.timeline_end.reset();
  expect_gap(check);
}

TEST(CheckIdentity, ASlotMadeOnAStandbyStaysWithItsServer) {
  IdentityCheck check = good_check();
  check.stored.timeline = kAnyTimeline;
  check.now.timeline = 2;
  check.greatest = Position{Lsn{300}};
  EXPECT_TRUE(check_identity(check).ok());
}

TEST(CheckIdentity, AConflictOfAStandbysSlotIsToldWithWhatPreventsIt) {
  for (const char* reason : {"conflicting", "rows_removed"}) {
    IdentityCheck check = good_check();
    check.slot->invalidation_reason = reason;
    const Status status = check_identity(check);
    ASSERT_FALSE(status.ok());
    EXPECT_TRUE(is_slot_loss(status.error()));
    EXPECT_NE(status.error().fix().find("hot_standby_feedback = on"), std::string::npos);
  }
}

TEST(CheckIdentity, EverythingElseIsAGap) {
  const auto with = [](auto change) {
    IdentityCheck check = good_check();
    change(check);
    expect_gap(check);
  };
  with([](IdentityCheck& c) { c.now.system_identifier = "78"; });
  with([](IdentityCheck& c) { c.now.timeline = 2; });
  with([](IdentityCheck& c) { c.slot.reset(); });
  with([](IdentityCheck& c) { c.slot->plugin = "wal2json"; });
  with([](IdentityCheck& c) { c.slot->database = "other"; });
  with([](IdentityCheck& c) { c.slot->wal_status = WalStatus::lost; });
  with([](IdentityCheck& c) { c.slot->restart = kNoLsn; });
  with([](IdentityCheck& c) { c.slot->invalidation_reason = "wal_removed"; });
  with([](IdentityCheck& c) { c.slot->confirmed_flush = Lsn{201}; });
  with([](IdentityCheck& c) { c.has_other_slots = true; });
  with([](IdentityCheck& c) { c.least_durable.reset(); });  // then the consistent point stands
}

TEST(CheckIdentity, OnlyWhatIsOursOnTheRightServerIsALossThatACopyMends) {
  const auto is_loss = [](auto change) {
    IdentityCheck check = good_check();
    change(check);
    const Status status = check_identity(check);
    return !status.ok() && is_slot_loss(status.error());
  };
  EXPECT_TRUE(is_loss([](IdentityCheck& c) { c.slot.reset(); }));
  EXPECT_TRUE(is_loss([](IdentityCheck& c) { c.slot->wal_status = WalStatus::lost; }));
  EXPECT_TRUE(is_loss([](IdentityCheck& c) { c.slot->restart = kNoLsn; }));
  EXPECT_TRUE(is_loss([](IdentityCheck& c) { c.slot->invalidation_reason = "idle_timeout"; }));
  EXPECT_TRUE(is_loss([](IdentityCheck& c) { c.slot->confirmed_flush = Lsn{201}; }));
  EXPECT_TRUE(is_loss([](IdentityCheck& c) { c.has_other_slots = true; }));
  const auto is_no_loss = [&](auto change) {
    return !is_loss([&](IdentityCheck& c) {
      c.has_other_slots = true;
      c.slot->confirmed_flush = Lsn{201};
      change(c);
    });
  };
  EXPECT_TRUE(is_no_loss([](IdentityCheck& c) { c.now.system_identifier = "78"; }));
  EXPECT_TRUE(is_no_loss([](IdentityCheck& c) { c.now.timeline = 2; }));
  EXPECT_TRUE(is_no_loss([](IdentityCheck& c) { c.slot->plugin = "wal2json"; }));
  EXPECT_TRUE(is_no_loss([](IdentityCheck& c) { c.slot->database = "other"; }));
  EXPECT_TRUE(is_no_loss([](IdentityCheck& c) {
    c.now.timeline = 2;
    c.greatest = Position{Lsn{300}};
    c.timeline_end = Lsn{299};
  }));
}

TEST(ReplicationCommands, FollowTheServersVersion) {
  EXPECT_EQ(*create_slot_command({.name = "a\"b", .is_two_phase = true}, 140'000),
            "CREATE_REPLICATION_SLOT \"a\"\"b\" LOGICAL pgoutput EXPORT_SNAPSHOT TWO_PHASE");
  EXPECT_EQ(*create_slot_command({.name = "s", .is_temporary = true}, 150'000),
            "CREATE_REPLICATION_SLOT \"s\" TEMPORARY LOGICAL pgoutput (SNAPSHOT 'export')");
  EXPECT_FALSE(create_slot_command({.name = "s", .is_failover = true}, 160'000).ok());
  const StartOptions options{
      .slot = "s", .start = Position{Lsn{0x1'0000'0002}}, .publications = {"p", "it's \"q\""}};
  EXPECT_EQ(*start_command(options, 140'000),
            "START_REPLICATION SLOT \"s\" LOGICAL 1/2 (proto_version '2', publication_names "
            "'\"p\",\"it''s \"\"q\"\"\"', streaming 'on', messages 'true')");
  EXPECT_NE(start_command(options, 160'000)->find("proto_version '4'"), std::string::npos);
  EXPECT_NE(start_command(options, 160'000)->find("origin 'any'"), std::string::npos);
  EXPECT_FALSE(start_command({.slot = "s", .start = {}, .is_two_phase = true}, 140'000).ok());
  EXPECT_EQ(start_command({.slot = "s", .start = {}, .origin = "none"}, 150'000)->find("origin"),
            std::string::npos);
}

TEST(PlanRanges, CoverEveryPageOnceAndTheLastIsOpen) {
  const std::vector<Heap> heaps{
      {.relation = Oid{1}, .name = {}, .relfilenode = 1, .pages = 100},
      {.relation = Oid{2}, .name = {}, .relfilenode = 2, .pages = 0},
      {.relation = Oid{3}, .name = {}, .relfilenode = 0, .pages = 0, .is_foreign = true}};
  const auto ranges = plan_ranges(heaps, {.connections = 1, .pages_min = 10});
  ASSERT_EQ(ranges.size(), 5U);
  std::uint64_t next = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(ranges[i].first_page, next);
    EXPECT_EQ(ranges[i].end_page.has_value(), i < 3);
    next = ranges[i].end_page.value_or(0);
    EXPECT_EQ(ranges[i].index, i);
    EXPECT_EQ(ranges[i].count, 5U);
  }
  EXPECT_EQ(ranges[4].heap.relation, Oid{2});
  EXPECT_FALSE(ranges[4].end_page.has_value());
}

}  // namespace
}  // namespace freshet::source
