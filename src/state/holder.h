// Tells whether the holder of a lease still lives. The rule is the same for every state store.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "freshet/state_store.h"

namespace freshet {

/// A lease's holder as a store remembers it.
struct LeaseHolder {
  Holder holder;
  /// What tells this process from a later one of the same pid; empty if it could not be found out.
  std::string process_start;
  std::int64_t renewed_at_ms = 0;  ///< Unix time by the clock of the host that renewed it.
};

/// Names the running process `pid` of this host: boot and start time. Empty if there is none.
std::string process_start(long pid);

/// Describes `self` as it takes or renews a lease now.
LeaseHolder lease_holder(const Holder& self);

/// On `this_host` a holder lives iff its process exists; elsewhere iff it renewed in time.
bool is_alive(const LeaseHolder& holder, const std::string& this_host);

/// The error of an acquire that found a living holder; has the fields host and pid.
Error lease_held_error(const std::string& pipeline, const Holder& holder);
/// The error of a change under a lease that is no longer held.
Error fenced_error(const Lease& lease);

/// The epoch that follows `last`. Milliseconds since 1970 where that is greater, so that epochs go
/// on rising at the destinations when the state store itself was lost.
std::uint64_t next_epoch(std::uint64_t last);

std::string this_host_name();

}  // namespace freshet
