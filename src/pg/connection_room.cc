#include "pg/connection_room.h"

#include <array>
#include <optional>

#include "base/try.h"
#include "pg/sql.h"

namespace freshet::pg {

Result<ConnectionRoom> look_at_connection_room(Connection& connection, std::string_view ours) {
  const std::array<std::optional<std::string_view>, 1> parameters{ours};
  FRESHET_TRY(const Rows rows, connection.query(sql::kSqlConnectionRoom, parameters));
  return ConnectionRoom{.free = rows.integer(0, 0), .limit = rows.string(0, 1)};
}

}  // namespace freshet::pg
