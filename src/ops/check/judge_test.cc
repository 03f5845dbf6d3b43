// What the check makes of facts about servers and tables.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/check/check.h"
#include "ops/check/destination_check.h"
#include "ops/check/source_check.h"
#include "ops/check/table_check.h"

namespace freshet::ops {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

SourceFacts healthy() {
  SourceFacts facts;
  facts.server_version = 180'006;
  facts.connection_pid = facts.backend_pid = 7;
  facts.wal_level = "logical";
  facts.slots_max = facts.senders_max = 10;
  facts.room = {.free = 90, .limit = "max_connections"};
  facts.slot_wal_keep_size = "1GB";
  facts.server_encoding = "UTF8";
  facts.role = "app";
  facts.database = "app";
  facts.has_replication = facts.can_create_in_database = true;
  return facts;
}

PipelineConfig pipeline() {
  PipelineConfig config;
  config.pipeline = "p";
  config.source.tables.push_back({.name = {"public", "t"}, .columns = {}, .where = {}});
  return config;
}

TableFacts keyed_table() {
  TableFacts facts;
  facts.name = {"public", "t"};
  facts.has_schema = facts.is_found = facts.can_use_schema = facts.can_select = true;
  facts.is_owner = facts.has_identity_index = true;
  facts.columns = facts.readable_columns = {"id", "body"};
  facts.identity_columns = {"id"};
  return facts;
}

/// `severity id` of each finding.
std::vector<std::string> ids(const Findings& findings) {
  std::vector<std::string> found;
  for (const Finding& finding : findings.all()) {
    found.push_back(std::string{to_string(finding.severity)} + " " + finding.id);
  }
  return found;
}

std::vector<std::string> judge(const SourceFacts& facts) {
  Findings findings;
  judge_source(facts, pipeline(), findings);
  return ids(findings);
}

std::vector<std::string> judge(const TableFacts& facts, const PipelineConfig& config = pipeline()) {
  Findings findings;
  judge_tables({facts}, healthy(), config, findings);
  return ids(findings);
}

TEST(JudgeSource, AHealthyServersLimitIsTold) {
  EXPECT_THAT(judge(healthy()), ElementsAre("info max_slot_wal_keep_size"));
}

TEST(JudgeSource, RoomForAllSessionsIsLookedFor) {
  SourceFacts facts = healthy();
  facts.room.free = 7;
  EXPECT_THAT(judge(facts), ElementsAre("info max_slot_wal_keep_size", "warning connections"));
  facts.room.free = 5;
  EXPECT_THAT(judge(facts), ElementsAre("info max_slot_wal_keep_size", "error connections"));
}

TEST(JudgeSource, ASlotWithoutALimitMayFillTheDisk) {
  SourceFacts facts = healthy();
  facts.slot_wal_keep_size = "-1";
  EXPECT_THAT(judge(facts), ElementsAre("warning max_slot_wal_keep_size"));
}

TEST(JudgeSource, EveryProblemIsFoundAtOnce) {
  SourceFacts facts = healthy();
  facts.server_version = 130'000;
  facts.backend_pid = 8;
  facts.wal_level = "replica";
  facts.slots_used = facts.senders_used = 10;
  facts.has_replication = facts.can_create_in_database = false;
  facts.output_plugin_libraries = "wal2json";
  facts.prepared_transactions = "gid";
  facts.long_transaction_pids = "12";
  EXPECT_THAT(judge(facts),
              ElementsAre("error server_version", "error pooler", "error wal_level",
                          "error output_plugin_libraries", "error max_replication_slots",
                          "error max_wal_senders", "info max_slot_wal_keep_size",
                          "error replication_right", "error create_publication",
                          "warning long_transactions", "warning prepared_transactions"));
}

TEST(JudgeSource, AStandbyLacksWhatItsPrimaryDoesNotKnowOf) {
  SourceFacts facts = healthy();
  facts.is_standby = true;
  facts.can_create_in_database = false;
  EXPECT_THAT(judge(facts), ElementsAre("info standby", "warning hot_standby_feedback",
                                        "info max_slot_wal_keep_size"));
  facts.has_standby_feedback = true;
  EXPECT_THAT(judge(facts), ElementsAre("info standby", "warning primary_slot_name",
                                        "info max_slot_wal_keep_size"));
  facts.standby_slot = "standby";
  EXPECT_THAT(judge(facts), ElementsAre("info standby", "info max_slot_wal_keep_size"));
  facts.server_version = 150'020;
  EXPECT_THAT(judge(facts), ElementsAre("error standby", "info max_slot_wal_keep_size"));
}

TEST(JudgeSource, NamesTheProvidersOwnSetting) {
  SourceFacts facts = healthy();
  facts.wal_level = "replica";
  for (const auto& [provider, setting] : {std::pair{"rds", "rds.logical_replication"},
                                          {"cloudsql", "cloudsql.logical_decoding"},
                                          {"azure", "azure.replication_support"},
                                          {"neon", "Neon"},
                                          {"", "ALTER SYSTEM"}}) {
    facts.provider = provider;
    Findings findings;
    judge_source(facts, pipeline(), findings);
    EXPECT_THAT(findings.all().at(0).fix, HasSubstr(setting));
  }
}

TEST(JudgeSource, ASlotOfOursNeedsNoFreeOne) {
  SourceFacts facts = healthy();
  facts.slots_used = 10;
  source::SlotRow slot;
  slot.name = "freshet_p";
  slot.plugin = "pgoutput";
  slot.database = "app";
  facts.slot = slot;
  const std::string limit = "info max_slot_wal_keep_size";
  EXPECT_THAT(judge(facts), ElementsAre(limit));
  facts.slot->wal_status = source::WalStatus::lost;
  EXPECT_THAT(judge(facts), ElementsAre(limit, "error slot_lost"));
  PipelineConfig resynced = pipeline();
  resynced.source.on_gap = OnGap::resync;
  Findings findings;
  judge_source(facts, resynced, findings);
  EXPECT_THAT(ids(findings), ElementsAre(limit, "warning slot_lost"));
}

TEST(JudgeTables, AKeyedTableHasNoFindings) {
  EXPECT_THAT(judge(keyed_table()), IsEmpty());
}

TEST(JudgeTables, IdentityIsJudgedByWhatItCosts) {
  TableFacts facts = keyed_table();
  facts.has_identity_index = false;
  EXPECT_THAT(judge(facts), ElementsAre("error identity_missing"));
  facts.identity = 'f';
  EXPECT_THAT(judge(facts), ElementsAre("warning identity_full"));
}

TEST(JudgeTables, AUniqueIndexIsOfferedAsIdentity) {
  TableFacts facts = keyed_table();
  facts.has_identity_index = false;
  facts.unique_index = "app.t_code_key";
  Findings findings;
  judge_tables({facts}, healthy(), pipeline(), findings);
  EXPECT_EQ(findings.all().at(0).fix,
            "ALTER TABLE \"public\".\"t\" REPLICA IDENTITY USING INDEX t_code_key");
}

TEST(JudgeTables, KindsThatWriteNoWalAreRefused) {
  TableFacts facts = keyed_table();
  facts.persistence = 'u';
  EXPECT_THAT(judge(facts), ElementsAre("error unlogged"));
  facts = keyed_table();
  facts.kind = 'v';
  EXPECT_THAT(judge(facts), ElementsAre("error table_kind"));
  facts.is_found = false;
  EXPECT_THAT(judge(facts), ElementsAre("error table_missing"));
}

TEST(JudgeTables, RightsAndRowSecurity) {
  TableFacts facts = keyed_table();
  facts.can_use_schema = facts.can_select = facts.is_owner = false;
  facts.readable_columns = {"id"};
  facts.has_row_security = true;
  EXPECT_THAT(judge(facts), ElementsAre("error schema_right", "error select_right",
                                        "error row_security", "error table_owner"));
  // A right on the columns wanted is enough.
  PipelineConfig config = pipeline();
  config.source.tables[0].columns = {"id"};
  facts = keyed_table();
  facts.can_select = false;
  facts.readable_columns = {"id"};
  EXPECT_THAT(judge(facts, config), IsEmpty());
}

TEST(JudgeTables, ColumnsMustExistAndHoldTheIdentity) {
  PipelineConfig config = pipeline();
  config.source.tables[0].columns = {"body", "nope"};
  EXPECT_THAT(judge(keyed_table(), config),
              ElementsAre("error column_missing", "error identity_column"));
}

TEST(JudgeTables, EachPartitionIsNamed) {
  TableFacts facts = keyed_table();
  facts.kind = 'p';
  facts.leaves = {{.table = "t_1", .has_identity_index = true},
                  {.table = "t_2"},
                  {.table = "t_3", .identity = 'f'},
                  {.table = "t_4", .persistence = 'u'}};
  EXPECT_THAT(judge(facts), ElementsAre("error identity_missing", "warning identity_differs",
                                        "error unlogged_partition"));
}

DestinationConfig destination() {
  return {.name = "d", .url = "postgresql://h/d", .vector_index = {}};
}

PipelineConfig with_embed() {
  PipelineConfig config = pipeline();
  config.transforms.push_back(
      {.table = {"public", "t"}, .embed = EmbedConfig{"body", "vec", "e"}, .mask = {}});
  return config;
}

TEST(JudgeDestination, PgvectorIsNeededForVectorsOnly) {
  DestinationFacts facts;
  facts.can_create_schema = true;
  Findings without;
  judge_destination(facts, destination(), pipeline(), without);
  EXPECT_THAT(ids(without), IsEmpty());
  Findings with;
  judge_destination(facts, destination(), with_embed(), with);
  EXPECT_THAT(ids(with), ElementsAre("error pgvector_missing"));
}

TEST(JudgeDestination, TablesInTheWay) {
  DestinationFacts facts;
  facts.can_create_schema = true;
  TargetFacts target;
  target.name = {"public", "t"};
  target.has_schema = target.is_found = target.can_write = target.has_rows = true;
  target.persistence = 'u';
  target.columns = {{"id", "bigint"}, {"vec", "public.vector(3)"}};
  Findings findings;
  judge_target(target, facts, destination(), with_embed(), {{"e", 256}}, findings);
  EXPECT_THAT(ids(findings),
              ElementsAre("error unlogged", "error not_empty", "error vector_dimension"));
  target.is_recorded = true;
  target.persistence = 'p';
  target.trigger = {.name = "note", .table = {"public", "leaf"}};
  Findings fired;
  judge_target(target, facts, destination(), with_embed(), {{"e", 3}}, fired);
  EXPECT_THAT(ids(fired), ElementsAre("error trigger"));
  EXPECT_THAT(fired.all().front().fix,
              HasSubstr(R"(ALTER TABLE "public"."leaf" DISABLE TRIGGER "note")"));
  target.trigger.reset();
  Findings ours;
  judge_target(target, facts, destination(), with_embed(), {{"e", 3}}, ours);
  EXPECT_THAT(ids(ours), IsEmpty());
}

TEST(CheckReport, JsonIsStable) {
  Findings findings;
  findings.error(Area::source, "wal_level", "wal_level is \"replica\"", "wal_level",
                 "ALTER SYSTEM");
  EXPECT_EQ(to_json("p", findings), R"({
  "pipeline": "p",
  "ok": false,
  "errors": 1,
  "warnings": 0,
  "findings": [
    {
      "severity": "error",
      "area": "source",
      "id": "wal_level",
      "what": "wal_level is \"replica\"",
      "where": "wal_level",
      "fix": "ALTER SYSTEM"
    }
  ]
}
)");
}

}  // namespace
}  // namespace freshet::ops
