// What Freshet keeps inside the destination: set-up, taking over, slot and table records.
#pragma once

#include <string>
#include <vector>

#include "freshet/destination.h"
#include "pg/connection.h"

namespace freshet::postgres {

/// Fails as set_up() would, changing nothing.
Status check_set_up(pg::Connection& connection);

/// Refuses a server that cannot be written to; creates schema freshet where it is missing.
Status set_up(pg::Connection& connection);

struct TakenOver {
  std::uint64_t fence = 0;
  DestinationState state;
};

/// Raises the fence, so that every older writer is refused from now on, and reads what is kept. All
/// of it is durable afterwards.
Result<TakenOver> take_over(pg::Connection& connection, const Lease& lease);

/// Records the slot where none is; the position that stands there afterwards.
Result<Position> record_slot(pg::Connection& connection,
                             const std::string& pipeline,
                             std::uint64_t fence,
                             const SlotIdentity& slot,
                             Position start);

/// See Destination::forget_slot.
Status forget_slot(pg::Connection& connection, const std::string& pipeline, std::uint64_t fence);

/// A key as freshet.chunks keeps it: its values as a line of COPY text.
std::string copy_line(const std::vector<std::string>& values);

Status record_phase(pg::Connection& connection,
                    const std::string& pipeline,
                    std::span<const TableName> tables,
                    TablePhase phase);

/// Fails with `fenced` if a newer writer took over; holds off one that would until the commit.
Status check_fence(pg::Connection& connection, const std::string& pipeline, std::uint64_t fence);

}  // namespace freshet::postgres
