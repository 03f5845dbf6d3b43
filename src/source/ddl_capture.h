// DDL capture at the source: event triggers that write each new definition of a table into the
// stream. What they write is read by core/ddl_capture.h.
#pragma once

#include <string>

#include "freshet/result.h"
#include "pg/connection.h"

namespace freshet::source {

struct DdlCaptureState {
  enum class Kind : unsigned char {
    absent,
    installed,
    outdated,  ///< By another version of Freshet.
    broken,    ///< A trigger is missing or disabled.
  };
  Kind kind = Kind::absent;
  std::string what;  ///< For people.
};

Result<DdlCaptureState> look_at_ddl_capture(pg::Connection& connection);

/// SQL for the source database, each a transaction; to be run by a superuser. May be run again.
std::string install_ddl_capture_sql();
std::string remove_ddl_capture_sql();

/// Runs it. Fails with `permission`, and advice, where the role may not.
Status install_ddl_capture(pg::Connection& connection);
Status remove_ddl_capture(pg::Connection& connection);

}  // namespace freshet::source
