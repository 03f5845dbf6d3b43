// What libpq is given to connect with: the user's url, our session settings, TLS for remote hosts.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "freshet/result.h"
#include "pg/connection.h"

namespace freshet::pg {

struct ConnectParameters {
  /// Keyword and value in libpq's order: later ones win over what the url says.
  std::vector<std::pair<std::string, std::string>> values;
  /// Passwords of the url, the environment and service files: to be kept out of messages.
  std::vector<std::string> secrets;
};

/// Asks libpq what the url, the environment and service files come to, without any traffic. A url
/// that libpq cannot read is an error of kind `config`.
Result<ConnectParameters> connect_parameters(const ConnectOptions& options);

/// True for a unix socket, localhost and loopback addresses. `hosts` may be a comma list: all must
/// be local.
bool is_local_host(std::string_view hosts);

/// A session setting that decides how values read or whether we are thrown out.
struct PinnedSetting {
  std::string_view name;
  std::string_view value;  ///< As set.
  std::string_view shown;  ///< What current_setting() starts with.
};

std::vector<PinnedSetting> pinned_settings(bool has_search_path);

}  // namespace freshet::pg
