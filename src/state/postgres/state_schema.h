// The schema freshet_state in a database: is it there, may we use it, and its making.
#pragma once

#include "pg/connection.h"

namespace freshet::state_schema {

/// True if something may be kept here. Fails if it cannot be read: no right, or a newer version.
Result<bool> is_made(pg::Connection& connection);
/// Fails as make() would, changing nothing.
Status check(pg::Connection& connection);
/// Creates what is absent. Fails where the state could not be written.
Status make(pg::Connection& connection);

}  // namespace freshet::state_schema
