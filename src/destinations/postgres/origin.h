// Replication origins: mark what Freshet writes as replicated, so that whoever replicates from the
// destination can leave it out (`origin: none`), and two databases can feed each other.
#pragma once

#include <string>

#include "freshet/result.h"
#include "pg/connection.h"

namespace freshet::postgres {

/// Has all commits of the session carry the origin `freshet_<pipeline>`, or
/// `freshet_<pipeline>/<n>` while another session has that one. Does nothing where the role may not
/// (EXECUTE on pg_replication_origin_create and _session_setup is a superuser's unless granted), or
/// where the server has no room for one more. Outside a transaction.
Status set_origin(pg::Connection& connection, const std::string& pipeline);

}  // namespace freshet::postgres
