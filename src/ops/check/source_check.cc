#include "ops/check/source_check.h"

#include <fmt/format.h>

#include "base/error_policy.h"
#include "base/sql_quote.h"
#include "base/try.h"
#include "ops/check/connection_check.h"
#include "ops/check/named_row.h"
#include "ops/check/sql.h"
#include "pipeline/connection_budget.h"
#include "source/ddl_capture.h"
#include "source/replication_connection.h"

namespace freshet::ops {
namespace {

constexpr int kOldestVersion = 14;
constexpr int kNewestVersion = 18;

std::string wal_level_fix(const SourceFacts& facts) {
  if (facts.provider == "rds") {
    return "set rds.logical_replication = 1 in the DB parameter group (Aurora: the cluster's) and "
           "reboot";
  }
  if (facts.provider == "cloudsql") {
    return "gcloud sql instances patch INSTANCE --database-flags=cloudsql.logical_decoding=on";
  }
  if (facts.provider == "azure") {
    return "set wal_level to logical under Server parameters in the portal (older single servers: "
           "azure.replication_support = logical) and restart";
  }
  if (facts.provider == "neon") {
    return "enable logical replication in the Neon project's settings; it cannot be undone";
  }
  if (facts.provider == "supabase") return "Supabase has it on; restore the default configuration";
  return "ALTER SYSTEM SET wal_level = 'logical'; then restart the server";
}

void judge_version(const SourceFacts& facts, Findings& findings) {
  const int major = facts.server_version / 10'000;
  if (major < kOldestVersion) {
    findings.error(Area::source, "server_version", fmt::format("PostgreSQL {} is too old", major),
                   "server",
                   fmt::format("use PostgreSQL {} to {}", kOldestVersion, kNewestVersion));
  } else if (major > kNewestVersion) {
    findings.warning(Area::source, "server_version",
                     fmt::format("PostgreSQL {} is newer than what was tested", major), "server",
                     "");
  }
}

void judge_pooler(const SourceFacts& facts, Findings& findings) {
  if (facts.connection_pid == facts.backend_pid) return;
  findings.error(
      Area::source, "pooler", "a connection pooler stands between Freshet and the server",
      "source.url",
      "connect to the server's own host and port (often 5432): replication does not pass "
      "through PgBouncer and its like");
}

void judge_wal_limit(const SourceFacts& facts, Findings& findings) {
  if (facts.slot_wal_keep_size != "-1") {
    findings.info(Area::source, "max_slot_wal_keep_size",
                  fmt::format("the server keeps up to {} of WAL for a pipeline that is stopped or "
                              "behind; past it the slot is lost",
                              facts.slot_wal_keep_size),
                  "max_slot_wal_keep_size", "");
    return;
  }
  findings.warning(
      Area::source, "max_slot_wal_keep_size",
      "there is no limit to the WAL kept for a pipeline that is stopped: it fills the disk",
      "max_slot_wal_keep_size",
      "ALTER SYSTEM SET max_slot_wal_keep_size = '…GB'; SELECT pg_reload_conf(): as much as the "
      "disk can bear; past it the slot is lost, and source.on_gap decides");
}

void judge_lost_slot(const PipelineConfig& config, Findings& findings) {
  const std::string where = fmt::format("slot {}", slot_name_of(config));
  if (config.source.on_gap == OnGap::resync) {
    findings.warning(Area::source, "slot_lost",
                     "the slot has lost WAL that it needed: all tables will be copied again", where,
                     "");
    return;
  }
  findings.error(Area::source, "slot_lost", "the slot has lost WAL that it needed", where,
                 "with source.on_gap: resync the next start copies all tables again; or run "
                 "`freshet drop`, then start again to copy anew");
}

void judge_slots(const SourceFacts& facts, const PipelineConfig& config, Findings& findings) {
  const std::string usage = fmt::format("{} of {} in use", facts.slots_used, facts.slots_max);
  if (!facts.slot && !config.source.adopts_slot && facts.slots_used >= facts.slots_max) {
    findings.error(Area::source, "max_replication_slots",
                   fmt::format("no free replication slot: {}", usage), "max_replication_slots",
                   fmt::format("ALTER SYSTEM SET max_replication_slots = {}; then restart; or drop "
                               "one that is not needed: SELECT pg_drop_replication_slot('NAME')",
                               facts.slots_max + 10));
  }
  const std::int64_t wanted = 1;
  if (facts.senders_used + wanted > facts.senders_max) {
    findings.error(
        Area::source, "max_wal_senders",
        fmt::format("no free WAL sender: {} of {} in use", facts.senders_used, facts.senders_max),
        "max_wal_senders",
        fmt::format("ALTER SYSTEM SET max_wal_senders = {}; then restart", facts.senders_max + 10));
  }
  judge_wal_limit(facts, findings);
  if (!facts.slot) return;
  const std::string name = slot_name_of(config);
  if (facts.slot->wal_status == source::WalStatus::lost) {
    judge_lost_slot(config, findings);
  }
  if (facts.slot->plugin != "pgoutput" || facts.slot->database != facts.database) {
    findings.error(Area::source, "slot_kind",
                   fmt::format("the slot belongs to plugin {} and database {}", facts.slot->plugin,
                               facts.slot->database),
                   fmt::format("slot {}", name), "choose another name with source.slot");
  }
  if (facts.slot->is_active) {
    findings.info(Area::source, "slot_active",
                  fmt::format("in use by server process {}", facts.slot->active_pid),
                  fmt::format("slot {}", name), "");
  }
}

void judge_role(const SourceFacts& facts, const PipelineConfig& config, Findings& findings) {
  const std::string role = quote_identifier(facts.role);
  if (!facts.is_superuser && !facts.has_replication && !facts.is_rds_replication) {
    findings.error(Area::source, "replication_right",
                   fmt::format("the role {} may not replicate", facts.role), "role",
                   facts.provider == "rds" ? fmt::format("GRANT rds_replication TO {}", role)
                                           : fmt::format("ALTER ROLE {} REPLICATION", role));
  }
  if (facts.is_superuser) {
    findings.info(Area::source, "superuser", "the role is a superuser, which is more than needed",
                  "role", "use a role with REPLICATION and SELECT on the tables");
  }
  if (config.source.publications.empty() && !facts.can_create_in_database && !facts.is_standby) {
    findings.error(Area::source, "create_publication",
                   fmt::format("the role {} may not create a publication", facts.role), "database",
                   fmt::format("GRANT CREATE ON DATABASE {} TO {}; or let an owner create one and "
                               "name it in source.publications",
                               quote_identifier(facts.database), role));
  }
}

void judge_settings(const SourceFacts& facts, Findings& findings) {
  if (facts.wal_level != "logical") {
    findings.error(Area::source, "wal_level",
                   fmt::format("wal_level is {}, not logical", facts.wal_level), "wal_level",
                   wal_level_fix(facts));
  }
  const std::string& plugins = facts.output_plugin_libraries;
  if (!plugins.empty() && plugins.find("pgoutput") == std::string::npos &&
      plugins.find('*') == std::string::npos) {
    findings.error(
        Area::source, "output_plugin_libraries", "the plugin pgoutput is not allowed",
        "output_plugin_libraries",
        "ALTER SYSTEM SET output_plugin_libraries = 'pgoutput'; SELECT pg_reload_conf()");
  }
  if (facts.server_encoding != "UTF8") {
    findings.warning(Area::source, "encoding",
                     fmt::format("the database is in {}: the server converts all text to UTF-8",
                                 facts.server_encoding),
                     "server_encoding", "");
  }
  if (!facts.pinned_overrides.empty()) {
    findings.info(Area::source, "pinned_settings",
                  fmt::format("the role or the database sets {}; Freshet's sessions pin their own "
                              "values",
                              facts.pinned_overrides),
                  "settings", "");
  }
}

void judge_standby(const SourceFacts& facts, const PipelineConfig& config, Findings& findings) {
  if (facts.server_version < source::kStandbysDecodeSince) {
    findings.error(
        Area::source, "standby",
        "the source is a standby, and before PostgreSQL 16 none can decode", "source.url",
        "connect to the primary; with several hosts add target_session_attrs=read-write");
    return;
  }
  findings.info(Area::source, "standby",
                "the source is a standby: its slot can be made once the primary has logged its "
                "running transactions",
                "source.url",
                "to make that quick, at the primary: SELECT pg_log_standby_snapshot()");
  if (config.source.is_failover) {
    findings.error(Area::source, "standby_failover",
                   "a slot that is made on a standby cannot be a failover slot", "source.failover",
                   "remove it");
  }
  if (!facts.has_standby_feedback) {
    findings.warning(Area::source, "hot_standby_feedback",
                     "hot_standby_feedback is off: vacuum at the primary may invalidate the slot "
                     "and cut off copies",
                     "hot_standby_feedback", source::kFeedbackFix);
  } else if (facts.standby_slot.empty()) {
    findings.warning(Area::source, "primary_slot_name",
                     "the standby has no physical slot: the primary forgets what the standby needs "
                     "whenever they are not connected",
                     "primary_slot_name", source::kFeedbackFix);
  }
}

void judge_activity(const SourceFacts& facts, Findings& findings) {
  if (!facts.long_transaction_pids.empty()) {
    findings.warning(Area::source, "long_transactions",
                     fmt::format("transactions older than a minute hold the start up: process {}",
                                 facts.long_transaction_pids),
                     "pg_stat_activity", "wait for them, or SELECT pg_terminate_backend(PID)");
  }
  if (!facts.prepared_transactions.empty()) {
    findings.warning(
        Area::source, "prepared_transactions",
        fmt::format("prepared transactions hold the start up: {}", facts.prepared_transactions),
        "pg_prepared_xacts", "COMMIT PREPARED or ROLLBACK PREPARED each of them");
  }
}

}  // namespace

std::string slot_name_of(const PipelineConfig& config) {
  return config.source.slot.empty() ? default_object_name(config) : config.source.slot;
}

Result<SourceFacts> load_source_facts(pg::Connection& connection, const PipelineConfig& config) {
  FRESHET_TRY(const pg::Rows rows, connection.query(sql::kSqlSourceFacts));
  const NamedRow row(rows, 0);
  SourceFacts facts;
  facts.server_version = connection.server_version();
  facts.connection_pid = connection.backend_pid();
  facts.backend_pid = static_cast<int>(row.number("backend_pid"));
  facts.wal_level = row.text("wal_level");
  facts.slots_max = row.number("slots_max");
  facts.slots_used = row.number("slots_used");
  facts.senders_max = row.number("senders_max");
  facts.senders_used = row.number("senders_used");
  facts.slot_wal_keep_size = row.text("slot_wal_keep_size");
  facts.idle_slot_timeout = row.text("idle_slot_timeout");
  facts.output_plugin_libraries = row.text("output_plugin_libraries");
  facts.server_encoding = row.text("server_encoding");
  facts.role = row.text("role_name");
  facts.database = row.text("database_name");
  facts.provider = row.text("provider");
  facts.long_transaction_pids = row.text("long_transaction_pids");
  facts.prepared_transactions = row.text("prepared_transactions");
  facts.pinned_overrides = row.text("pinned_overrides");
  facts.is_standby = row.flag("is_standby");
  facts.has_standby_feedback = row.flag("has_standby_feedback");
  facts.standby_slot = row.text("standby_slot");
  facts.is_superuser = row.flag("is_superuser");
  facts.has_replication = row.flag("has_replication");
  facts.bypasses_rls = row.flag("bypasses_rls");
  facts.is_rds_replication = row.flag("is_rds_replication");
  facts.can_create_in_database = row.flag("can_create_in_database");
  FRESHET_TRY(facts.room,
              pg::look_at_connection_room(connection, application_name(config.pipeline)));
  FRESHET_TRY(facts.slot, source::find_slot(connection, slot_name_of(config)));
  return facts;
}

void judge_source(const SourceFacts& facts, const PipelineConfig& config, Findings& findings) {
  judge_version(facts, findings);
  judge_pooler(facts, findings);
  judge_settings(facts, findings);
  if (facts.is_standby) judge_standby(facts, config, findings);
  judge_slots(facts, config, findings);
  judge_connections(facts.room, sessions_beside_copy(config), config.source.copy.connections,
                    Area::source, "source", findings);
  judge_role(facts, config, findings);
  judge_activity(facts, findings);
}

void try_replication(const PipelineConfig& config, Findings& findings) {
  pg::ConnectOptions options;
  options.url = config.source.url;
  options.application_name = "freshet check";
  auto connection = source::ReplicationConnection::open(options);
  Status status = connection.ok() ? Status{} : Status{connection.error()};
  if (connection.ok()) {
    const auto identity = (*connection)->identify_system();
    if (!identity.ok()) status = identity.error();
  }
  if (status.ok()) return;
  const Error& error = status.error();
  findings.error(Area::source, "replication_connection",
                 "a replication connection is refused: " + error.describe(), "pg_hba.conf",
                 error.fix().empty()
                     ? "let the role in for replication, e.g. in pg_hba.conf: host all ROLE "
                       "ADDRESS scram-sha-256"
                     : error.fix());
}

Status report_ddl_capture(pg::Connection& connection, Findings& findings) {
  using Kind = source::DdlCaptureState::Kind;
  FRESHET_TRY(const source::DdlCaptureState state, source::look_at_ddl_capture(connection));
  const std::string what = "DDL capture: " + state.what;
  const std::string install = "a superuser: freshet ddl-capture install PIPELINE";
  switch (state.kind) {
    case Kind::installed:
      findings.info(Area::source, "ddl_capture", what, "", "");
      break;
    case Kind::absent:
      findings.info(Area::source, "ddl_capture",
                    what +
                        "; with it, changes of a table's definition are exact, also where a "
                        "column is dropped and made again",
                    "", install);
      break;
    case Kind::outdated:
    case Kind::broken:
      findings.warning(Area::source, "ddl_capture",
                       what + "; changes of definition are followed by the catalogue", "", install);
      break;
  }
  return {};
}

Status list_not_replicated(pg::Connection& connection, Findings& findings) {
  FRESHET_TRY(const pg::Rows rows, connection.query(sql::kSqlNotReplicated));
  for (int i = 0; i < rows.rows(); ++i) {
    const NamedRow row(rows, i);
    const std::string kind = row.text("kind");
    const bool is_sequence = kind == "sequences";
    findings.info(
        Area::source, "not_replicated",
        fmt::format("{} {} will not be replicated: {}", row.number("object_count"), kind,
                    row.text("names")),
        kind,
        is_sequence ? "before switching over, set each one: SELECT setval('SEQUENCE', …)" : "");
  }
  return {};
}

}  // namespace freshet::ops
