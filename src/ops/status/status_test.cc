// The stable form of a pipeline's status.
#include "ops/status/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace freshet::ops {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

PipelineStatus running() {
  PipelineStatus status;
  status.pipeline = "p";
  status.source_position = Lsn{0x200};
  status.stored.slot = SlotIdentity{"7", 1, "freshet_p", Lsn{0x10}, "epoch"};
  status.stored.positions.push_back({"d", Position{Lsn{0x180}}});
  status.stored.tables.push_back({"d", {"public", "t"}, TablePhase::streaming, ""});
  status.stored.holder = Holder{"here", 42};
  source::SlotRow slot;
  slot.name = "freshet_p";
  slot.is_active = true;
  slot.confirmed_flush = Lsn{0x100};
  slot.wal_status = source::WalStatus::reserved;
  status.slot = slot;
  return status;
}

TEST(StatusJson, HasPhasesPositionsLagAndHolder) {
  const auto json = nlohmann::json::parse(to_json(running()));
  EXPECT_EQ(json["version"], 1);
  EXPECT_EQ(json["holder"]["pid"], 42);
  EXPECT_EQ(json["slot"]["lag_bytes"], 256);
  EXPECT_EQ(json["slot"]["wal_status"], "reserved");
  EXPECT_EQ(json["destinations"][0]["lag_bytes"], 128);
  EXPECT_EQ(json["tables"][0]["phase"], "streaming");
  EXPECT_TRUE(json["tables"][0]["wish"].is_null());
  EXPECT_EQ(json["source"]["position"], "0/200");
}

TEST(StatusJson, TellsWhatIsWantedOfATableUntilItIsSo) {
  PipelineStatus status = running();
  status.stored.wishes = {{{"public", "t"}, TableWish::paused}};
  EXPECT_EQ(nlohmann::json::parse(to_json(status))["tables"][0]["wish"], "paused");
  EXPECT_THAT(to_lines(status), Contains(HasSubstr("public.t → d: streaming, to be paused")));
  status.stored.tables[0].phase = TablePhase::paused;
  EXPECT_TRUE(nlohmann::json::parse(to_json(status))["tables"][0]["wish"].is_null());
}

TEST(StatusJson, IsWholeForAPipelineThatNeverRan) {
  PipelineStatus status;
  status.pipeline = "p";
  status.source_error = "refused";
  const auto json = nlohmann::json::parse(to_json(status));
  EXPECT_FALSE(json["known"]);
  EXPECT_FALSE(json["source"]["reachable"]);
  EXPECT_TRUE(json["slot"].is_null());
  EXPECT_TRUE(json["tables"].empty());
  EXPECT_THAT(to_lines(status), Contains(HasSubstr("nothing is kept of it")));
}

TEST(StatusLines, TellWhatTheSlotKeepsAndMayStillKeep) {
  PipelineStatus status = running();
  status.slot->retained_wal_bytes = 1000;
  EXPECT_THAT(to_lines(status),
              Contains(HasSubstr("1000 bytes of WAL kept for it, without a limit")));
  status.slot->safe_wal_bytes = 500;
  EXPECT_THAT(to_lines(status), Contains(HasSubstr("lost after 500 more")));
  status.slot->safe_wal_bytes = -1;
  EXPECT_THAT(to_lines(status), Contains(HasSubstr("may be lost any moment")));
}

TEST(StatusJson, ASourceBehindAPositionMeansNoLag) {
  PipelineStatus status = running();
  status.source_position = Lsn{0x80};
  EXPECT_EQ(lag_bytes(status, Lsn{0x100}), 0U);
}

}  // namespace
}  // namespace freshet::ops
