// A slot that somebody else made, to go on from: whether it can be, and from where.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "freshet/lsn.h"
#include "freshet/result.h"
#include "pg/connection.h"
#include "source/replication_connection.h"
#include "source/slot.h"

namespace freshet::source {

struct AdoptionRequest {
  std::string slot;
  bool is_two_phase = false;
  std::optional<Lsn> start{};  ///< Nothing: where the slot stands.
  SystemIdentity now;
};

/// Where to begin. `setting`, `slot_in_use` or `gap` with what is wrong and what mends it, where
/// the slot cannot be adopted. Pure.
Result<Lsn> check_adoption(const AdoptionRequest& request, const std::optional<SlotRow>& found);

/// Fails with `setting` if one of the publications, or what is in it, may be younger than the slot:
/// changes from before are sent by what the publication was then, so that they would be missing.
Status check_publications_are_older(pg::Connection& connection,
                                    const std::string& slot,
                                    std::span<const std::string> publications);

}  // namespace freshet::source
