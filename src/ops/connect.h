// A plain connection for looking at a server.
#pragma once

#include <memory>
#include <string>

#include "freshet/result.h"
#include "pg/connection.h"

namespace freshet::ops {

inline Result<std::unique_ptr<pg::Connection>> connect(const std::string& url,
                                                       std::string application_name) {
  pg::ConnectOptions options;
  options.url = url;
  options.application_name = std::move(application_name);
  return pg::Connection::open(options);
}

}  // namespace freshet::ops
