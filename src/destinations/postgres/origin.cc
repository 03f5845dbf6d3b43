#include "destinations/postgres/origin.h"

#include <array>
#include <optional>
#include <string_view>

#include "base/log.h"
#include "base/try.h"
#include "destinations/postgres/sql.h"
#include "pg/sqlstate.h"

namespace freshet::postgres {
namespace {

constexpr int kSessionsMax = 64;

}  // namespace

Status set_origin(pg::Connection& connection, const std::string& pipeline) {
  FRESHET_TRY(const pg::Rows rights, connection.query(sql::kSqlMayHaveOrigin));
  if (!rights.boolean(0, 0)) return ok_status();
  const std::string base = "freshet_" + pipeline;
  for (int n = 0; n < kSessionsMax; ++n) {
    const std::string name = n == 0 ? base : base + "/" + std::to_string(n);
    const std::array<std::optional<std::string_view>, 1> parameters{name};
    const auto made = connection.query(sql::kSqlMakeOrigin, parameters);
    if (!made.ok() && made.error().sqlstate() != pg::sqlstate::kUniqueViolation)
      return made.error();
    const auto set = connection.query("SELECT pg_replication_origin_session_setup($1)", parameters);
    if (set.ok()) return ok_status();
    if (set.error().sqlstate() == pg::sqlstate::kObjectInUse) continue;
    if (set.error().sqlstate() != pg::sqlstate::kConfigurationLimitExceeded) return set.error();
    log_warn("what is written is not marked as replicated: the server has no room for an origin",
             {{"origin", name}});
    return ok_status();
  }
  return Error{ErrorKind::busy, "all replication origins of the pipeline are in use"}.with("origin",
                                                                                           base);
}

}  // namespace freshet::postgres
