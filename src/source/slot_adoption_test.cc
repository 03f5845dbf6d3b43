#include "source/slot_adoption.h"

#include <functional>

#include <gtest/gtest.h>

namespace freshet::source {
namespace {

AdoptionRequest good_request() {
  return {.slot = "s",
          .is_two_phase = false,
          .start = {},
          .now = {.system_identifier = "77", .timeline = 1, .flushed = Lsn{900}, .database = "d"}};
}

SlotRow good_slot() {
  return {.name = "s",
          .plugin = "pgoutput",
          .database = "d",
          .restart = Lsn{90},
          .confirmed_flush = Lsn{200},
          .wal_status = WalStatus::reserved,
          .safe_wal_bytes = {},
          .invalidation_reason = {}};
}

TEST(CheckAdoption, BeginsWhereTheSlotStandsOrLater) {
  AdoptionRequest request = good_request();
  EXPECT_EQ(check_adoption(request, good_slot()).value(), Lsn{200});
  for (const Lsn start : {Lsn{200}, Lsn{300}, Lsn{900}}) {
    request.start = start;
    EXPECT_EQ(check_adoption(request, good_slot()).value(), start);
  }
  for (const Lsn start : {Lsn{199}, Lsn{901}}) {
    request.start = start;
    EXPECT_EQ(check_adoption(request, good_slot()).error().kind(), ErrorKind::setting);
  }
}

TEST(CheckAdoption, ASlotThatDoesNotFitIsRefusedWithAFix) {
  const auto refused = [](const std::function<void(SlotRow&)>& change) {
    SlotRow slot = good_slot();
    change(slot);
    const auto start = check_adoption(good_request(), slot);
    return !start.ok() && !start.error().fix().empty() && start.error().find("slot") == "s";
  };
  EXPECT_TRUE(refused([](SlotRow& slot) { slot.is_logical = false; }));
  EXPECT_TRUE(refused([](SlotRow& slot) { slot.plugin = "test_decoding"; }));
  EXPECT_TRUE(refused([](SlotRow& slot) { slot.database = "other"; }));
  EXPECT_TRUE(refused([](SlotRow& slot) { slot.is_temporary = true; }));
  EXPECT_TRUE(refused([](SlotRow& slot) { slot.is_active = true; }));
  EXPECT_TRUE(refused([](SlotRow& slot) { slot.is_two_phase = true; }));
  EXPECT_TRUE(refused([](SlotRow& slot) { slot.wal_status = WalStatus::lost; }));
  EXPECT_TRUE(refused([](SlotRow& slot) { slot.restart = kNoLsn; }));
  EXPECT_TRUE(refused([](SlotRow& slot) { slot.invalidation_reason = "idle_timeout"; }));
  EXPECT_FALSE(check_adoption(good_request(), {}).ok());
}

}  // namespace
}  // namespace freshet::source
