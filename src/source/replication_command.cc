#include "source/replication_command.h"

#include "base/error_policy.h"
#include "base/sql_quote.h"
#include "pg/sqlstate.h"

namespace freshet::source {
namespace {

constexpr int kVersion15 = 150'000;
constexpr int kVersion16 = 160'000;
constexpr int kVersion17 = 170'000;

/// The option list that versions before 15 spell with bare keywords.
Result<std::string> create_slot_options(const CreateSlotOptions& options, int server_version) {
  if (options.is_failover && server_version < kVersion17) {
    return Error{ErrorKind::unsupported, "failover slots need PostgreSQL 17"};
  }
  if (server_version < kVersion15) {
    return std::string{options.exports_snapshot ? " EXPORT_SNAPSHOT" : " NOEXPORT_SNAPSHOT"} +
           (options.is_two_phase ? " TWO_PHASE" : "");
  }
  std::string list = options.exports_snapshot ? " (SNAPSHOT 'export'" : " (SNAPSHOT 'nothing'";
  if (options.is_two_phase) list += ", TWO_PHASE true";
  if (options.is_failover) list += ", FAILOVER true";
  return list + ")";
}

/// A string in a replication command: its grammar knows doubled quotes, but no E'...'.
std::string quote_option(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') quoted += c;
    quoted += c;
  }
  return quoted + "'";
}

std::string publication_list(const std::vector<std::string>& publications) {
  std::string list;
  for (const std::string& name : publications) {
    if (!list.empty()) list += ',';
    list += quote_identifier(name);
  }
  return list;
}

/// Takes "pid 4711" out of `replication slot "x" is active for PID 4711`.
std::string find_pid(const std::string& message) {
  const auto at = message.find("PID ");
  if (at == std::string::npos) return {};
  return message.substr(at + 4, message.find_first_not_of("0123456789", at + 4) - at - 4);
}

}  // namespace

int protocol_version_of(int server_version) noexcept {
  if (server_version >= kVersion16) return 4;
  if (server_version >= kVersion15) return 3;
  return server_version >= 140'000 ? 2 : 1;
}

Result<std::string> create_slot_command(const CreateSlotOptions& options, int server_version) {
  auto list = create_slot_options(options, server_version);
  if (!list.ok()) return std::move(list).error();
  return "CREATE_REPLICATION_SLOT " + quote_identifier(options.name) +
         (options.is_temporary ? " TEMPORARY" : "") + " LOGICAL pgoutput" + *list;
}

Result<std::string> start_command(const StartOptions& options, int server_version) {
  const int highest = protocol_version_of(server_version);
  const int version = options.protocol_version == 0 ? highest : options.protocol_version;
  if (options.is_two_phase && version < 3) {
    return Error{ErrorKind::unsupported, "two_phase needs PostgreSQL 15"}.fix(
        "leave two_phase off, or use a newer server");
  }
  std::string command = "START_REPLICATION SLOT " + quote_identifier(options.slot) + " LOGICAL " +
                        to_string(options.start.end) + " (proto_version '" +
                        std::to_string(version) + "', publication_names " +
                        quote_option(publication_list(options.publications));
  if (options.is_streaming && version >= 2) command += ", streaming 'on'";
  if (options.is_two_phase) command += ", two_phase 'on'";
  if (options.sends_messages) command += ", messages 'true'";
  if (options.is_binary) command += ", binary 'true'";
  if (server_version >= kVersion16) command += ", origin " + quote_option(options.origin);
  return command + ")";
}

Error slot_error(Error error, const std::string& slot) {
  error.add("slot", slot);
  if (error.sqlstate() != pg::sqlstate::kObjectInUse) return error;
  const std::string pid = find_pid(error.message());
  Error in_use =
      with_kind(ErrorKind::slot_in_use, error)
          .fix("stop the other process that streams from the slot" +
               (pid.empty() ? std::string{} : ", or SELECT pg_terminate_backend(" + pid + ")"));
  if (!pid.empty()) in_use.add("pid", pid);
  return in_use;
}

Error create_slot_error(Error error, const std::string& slot) {
  const std::string code = error.sqlstate();
  if (code == pg::sqlstate::kConfigurationLimitExceeded) {
    return with_kind(ErrorKind::setting, slot_error(std::move(error), slot))
        .fix(
            "drop a slot that is not needed (SELECT slot_name FROM pg_replication_slots "
            "WHERE NOT active), or raise max_replication_slots and restart the server");
  }
  if (code == pg::sqlstate::kNotInPrerequisiteState) {
    return with_kind(ErrorKind::setting, slot_error(std::move(error), slot))
        .fix(
            "ALTER SYSTEM SET wal_level = 'logical', then restart the server (managed "
            "services: rds.logical_replication = 1, cloudsql.logical_decoding = on, or "
            "alike)");
  }
  if (code == pg::sqlstate::kInsufficientPrivilege) {
    return with_kind(ErrorKind::permission, slot_error(std::move(error), slot))
        .fix("ALTER ROLE ... REPLICATION for the role of the source's url");
  }
  if (code == pg::sqlstate::kDuplicateObject) {
    return with_kind(ErrorKind::setting, slot_error(std::move(error), slot))
        .fix(
            "choose another slot name, or drop the old one if nobody needs it: SELECT "
            "pg_drop_replication_slot(" +
            quote_literal(slot) + ")");
  }
  return slot_error(std::move(error), slot);
}

Error start_error(Error error, const std::string& slot) {
  const std::string code = error.sqlstate();
  const bool is_gone = code == pg::sqlstate::kUndefinedObject;
  const bool is_invalid = code == pg::sqlstate::kNotInPrerequisiteState;
  Error known = slot_error(std::move(error), slot);
  if (!is_gone && !is_invalid) return known;
  return with_kind(ErrorKind::gap, known)
      .fix(is_gone ? kLossFix
                   : std::string{"raise max_slot_wal_keep_size if WAL was the reason; "} + kLossFix)
      .with(kLost, is_gone ? "dropped" : "invalidated");
}

Error stream_error(Error error) {
  const std::string code = error.sqlstate();
  if (code == pg::sqlstate::kUndefinedObject) {
    return with_kind(ErrorKind::gap, error)
        .fix(
            "a publication that the stream needs did not exist when the change was made: "
            "run `freshet drop`, then start afresh");
  }
  // The slot is invalidated while we stream: the server ends the session, a new START says why.
  return error;
}

}  // namespace freshet::source
