// How many sessions a server has left for us.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "freshet/result.h"
#include "pg/connection.h"

namespace freshet::pg {

struct ConnectionRoom {
  std::int64_t free = 0;  ///< Sessions that could be open at once, with the one that asks.
  std::string limit;      ///< What sets it, for people.
};

/// Sessions whose application_name begins with `ours` are left out: they make room for themselves.
Result<ConnectionRoom> look_at_connection_room(Connection& connection, std::string_view ours);

}  // namespace freshet::pg
