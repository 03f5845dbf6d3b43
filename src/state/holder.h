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
  /// Tells the process from others of the same pid, here and on machines of the same name.
  std::string process;
  /// Unix time by the store's clock: a file's is that of the host, a server has its own.
  std::int64_t renewed_at_ms = 0;
};

/// Describes `self` as it takes or renews a lease now.
LeaseHolder lease_holder(const Holder& self);

std::int64_t unix_now_ms();

/// Where this process could see the holder (`this_host`, same boot, same pid namespace) a holder
/// lives iff its process exists; elsewhere iff it renewed in time. `now_ms` is by the clock that
/// renewed_at_ms is by.
bool is_alive(const LeaseHolder& holder,
              const std::string& this_host,
              std::int64_t now_ms = unix_now_ms());

/// The error of an acquire that found a living holder; has the fields host and pid.
Error lease_held_error(const std::string& pipeline, const Holder& holder);
/// The error of a change under a lease that is no longer held.
Error fenced_error(const Lease& lease);

/// The epoch that follows `last`. Milliseconds since 1970 where that is greater, so that epochs go
/// on rising at the destinations when the state store itself was lost.
std::uint64_t next_epoch(std::uint64_t last);

std::string this_host_name();

}  // namespace freshet
