// Is there room for the sessions that a pipeline opens?
#pragma once

#include <cstdint>
#include <string>

#include "ops/check/finding.h"
#include "pg/connection_room.h"

namespace freshet::ops {

/// `beside`: sessions that do not copy; `copying`: those that are to. Pure.
void judge_connections(const pg::ConnectionRoom& room,
                       std::uint32_t beside,
                       std::uint32_t copying,
                       Area area,
                       const std::string& where,
                       Findings& findings);

}  // namespace freshet::ops
