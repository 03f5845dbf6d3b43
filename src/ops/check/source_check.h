// Is this server fit to be a source?
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "freshet/config.h"
#include "freshet/result.h"
#include "ops/check/finding.h"
#include "pg/connection.h"
#include "pg/connection_room.h"
#include "source/slot.h"

namespace freshet::ops {

/// What source_facts.sql says, and what the connection itself tells.
struct SourceFacts {
  int server_version = 0;
  int connection_pid = 0;  ///< As told when connecting; a pooler makes its own up.
  int backend_pid = 0;
  std::string wal_level;
  std::int64_t slots_max = 0;
  std::int64_t slots_used = 0;
  pg::ConnectionRoom room{};
  std::int64_t senders_max = 0;
  std::int64_t senders_used = 0;
  std::string slot_wal_keep_size;
  std::string idle_slot_timeout;
  std::string output_plugin_libraries;
  std::string server_encoding;
  std::string role;
  std::string database;
  std::string provider;  ///< rds, cloudsql, azure, neon, supabase or empty.
  std::string long_transaction_pids;
  std::string prepared_transactions;
  std::string pinned_overrides;
  bool is_standby = false;
  bool has_standby_feedback = false;  ///< Of a standby, as is the next.
  std::string standby_slot;           ///< Its physical slot at the primary.
  bool is_superuser = false;
  bool has_replication = false;
  bool bypasses_rls = false;
  bool is_rds_replication = false;
  bool can_create_in_database = false;
  std::optional<source::SlotRow> slot;  ///< The pipeline's, if it is there.
};

Result<SourceFacts> load_source_facts(pg::Connection& connection, const PipelineConfig& config);

/// Pure.
void judge_source(const SourceFacts& facts, const PipelineConfig& config, Findings& findings);

/// Tries what only trying can tell: a walsender session (pg_hba.conf, free senders, poolers).
void try_replication(const PipelineConfig& config, Findings& findings);

/// Tells whether DDL capture is installed, and what it brings.
Status report_ddl_capture(pg::Connection& connection, Findings& findings);

/// Lists what logical replication will not carry.
Status list_not_replicated(pg::Connection& connection, Findings& findings);

/// The pipeline's slot name.
std::string slot_name_of(const PipelineConfig& config);

}  // namespace freshet::ops
