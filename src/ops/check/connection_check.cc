#include "ops/check/connection_check.h"

#include <fmt/format.h>

namespace freshet::ops {

void judge_connections(const pg::ConnectionRoom& room,
                       std::uint32_t beside,
                       std::uint32_t copying,
                       Area area,
                       const std::string& where,
                       Findings& findings) {
  const std::int64_t least = beside + 1;
  const std::int64_t wanted = beside + copying;
  if (room.free >= wanted) return;
  const std::string what =
      fmt::format("there is room for {} more sessions ({}); the pipeline opens up to {}", room.free,
                  room.limit, wanted);
  if (room.free < least) {
    findings.error(area, "connections", what, where,
                   fmt::format("raise {}, or close sessions: {} are needed", room.limit, least));
  } else {
    findings.warning(area, "connections", what, where,
                     fmt::format("raise {}, or set source.copy.connections to {}", room.limit,
                                 room.free - beside));
  }
}

}  // namespace freshet::ops
