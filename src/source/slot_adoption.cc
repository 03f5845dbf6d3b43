#include "source/slot_adoption.h"

#include <array>
#include <string_view>

#include "base/try.h"
#include "pg/array_literal.h"
#include "source/publication.h"
#include "source/sql/sql.h"

namespace freshet::source {
namespace {

constexpr const char* kBeginAnew =
    "drop it and begin again with a new slot and a new dump, as docs/seeding.md tells";

Error refusal(std::string message, const AdoptionRequest& request) {
  return Error{ErrorKind::setting, std::move(message)}.with("slot", request.slot);
}

Status check_kind(const AdoptionRequest& request, const SlotRow& slot) {
  if (!slot.is_logical || slot.plugin != "pgoutput") {
    return refusal("the slot to be adopted is none for pgoutput", request)
        .with("plugin", slot.is_logical ? slot.plugin : "none: it is physical")
        .fix(
            "make one with pg_create_logical_replication_slot('NAME', 'pgoutput') before the dump");
  }
  if (slot.database != request.now.database) {
    return refusal("the slot to be adopted belongs to another database", request)
        .with("then", slot.database)
        .with("now", request.now.database)
        .fix("name its database in source.url");
  }
  if (slot.is_temporary) {
    return refusal("the slot to be adopted is temporary: it ends with the session that made it",
                   request)
        .fix("make one that stays, and the dump after it");
  }
  if (slot.is_two_phase != request.is_two_phase) {
    return refusal(slot.is_two_phase ? "the slot to be adopted was made with two_phase"
                                     : "the slot to be adopted was made without two_phase",
                   request)
        .fix(slot.is_two_phase ? "set source.two_phase: true" : "remove source.two_phase");
  }
  return {};
}

Status check_health(const AdoptionRequest& request, const SlotRow& slot) {
  if (!slot.invalidation_reason.empty()) {
    return refusal("the slot to be adopted was invalidated: " + slot.invalidation_reason, request)
        .fix(kBeginAnew);
  }
  // A lost slot still shows its confirmed_flush_lsn.
  if (slot.wal_status == WalStatus::lost || slot.restart == kNoLsn) {
    return refusal("the slot to be adopted is lost: the server removed WAL that it needed", request)
        .fix(std::string{"raise max_slot_wal_keep_size at the server; "} + kBeginAnew);
  }
  if (slot.is_active) {
    return Error{ErrorKind::slot_in_use, "the slot to be adopted is in use"}
        .with("slot", request.slot)
        .with("pid", std::to_string(slot.active_pid))
        .fix("stop the other process that streams from it, or SELECT pg_terminate_backend(" +
             std::to_string(slot.active_pid) + ")");
  }
  return {};
}

}  // namespace

Result<Lsn> check_adoption(const AdoptionRequest& request, const std::optional<SlotRow>& found) {
  if (!found) {
    return refusal("there is no slot of that name to be adopted", request)
        .fix("mend source.slot; or remove source.adopt_slot to have Freshet make it");
  }
  FRESHET_TRY(check_kind(request, *found));
  FRESHET_TRY(check_health(request, *found));
  const Lsn start = request.start.value_or(found->confirmed_flush);
  if (start < found->confirmed_flush) {
    return refusal("source.start_lsn lies before what the slot has kept", request)
        .with("start_lsn", to_string(start))
        .with("confirmed", to_string(found->confirmed_flush))
        .fix(kBeginAnew);
  }
  if (start > request.now.flushed && request.start) {
    return refusal("the server has not reached source.start_lsn: is it the right server?", request)
        .with("start_lsn", to_string(start))
        .with("server", to_string(request.now.flushed))
        .fix("mend source.start_lsn or source.url");
  }
  return start;
}

Status check_publications_are_older(pg::Connection& connection,
                                    const std::string& slot,
                                    std::span<const std::string> publications) {
  const std::string names = pg::array_literal(publications);
  const std::array<std::optional<std::string_view>, 2> parameters{slot, names};
  FRESHET_TRY(pg::Rows younger, connection.query(sql::kSqlYoungerPublications, parameters));
  if (younger.rows() == 0 && connection.server_version() >= kPublishesSchemasSince) {
    FRESHET_TRY(younger, connection.query(sql::kSqlYoungerSchemas, parameters));
  }
  if (younger.rows() == 0) return {};
  Error error{ErrorKind::setting,
              "the publication may have been made or altered after the slot: what the slot kept "
              "from before would be missing"};
  error.add("publication", younger.text(0, 0));
  if (!younger.text(0, 1).empty()) error.add("member", younger.text(0, 1));
  return std::move(error)
      .with("slot", slot)
      .fix(
          "begin again with a new slot and a new dump, which the publication must come before: "
          "docs/seeding.md");
}

}  // namespace freshet::source
