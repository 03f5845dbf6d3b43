#include "pg/connect_parameters.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>

#include <libpq-fe.h>

#include "pg/error.h"

namespace freshet::pg {
namespace {

using ConnInfo = std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)>;
using Values = std::map<std::string, std::string, std::less<>>;

// Settings that change what values look like or how they are read, that end a session of ours, or
// that make the server compile a query for longer than it runs.
constexpr std::array kPinned{
    PinnedSetting{"datestyle", "ISO", "ISO"},
    PinnedSetting{"intervalstyle", "postgres", "postgres"},
    PinnedSetting{"extra_float_digits", "3", "3"},
    PinnedSetting{"bytea_output", "hex", "hex"},
    PinnedSetting{"timezone", "UTC", "UTC"},
    PinnedSetting{"lc_monetary", "C", "C"},
    PinnedSetting{"xmloption", "content", "content"},
    PinnedSetting{"array_nulls", "on", "on"},
    PinnedSetting{"row_security", "off", "off"},
    PinnedSetting{"default_transaction_read_only", "off", "off"},
    PinnedSetting{"default_transaction_isolation", "read committed", "read committed"},
    PinnedSetting{"statement_timeout", "0", "0"},
    PinnedSetting{"lock_timeout", "0", "0"},
    // With `on` whoever reads a partition locks what it is in, after it: a deadlock for DDL.
    PinnedSetting{"constraint_exclusion", "partition", "partition"},
    PinnedSetting{"idle_in_transaction_session_timeout", "0", "0"},
    PinnedSetting{"jit", "off", "off"},
};

/// Where Linux distributions keep the CAs that the system trusts.
constexpr std::array kSystemCaFiles{"/etc/ssl/certs/ca-certificates.crt",
                                    "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
                                    "/etc/ssl/cert.pem"};

Values collect(const PQconninfoOption* option, std::vector<std::string>& secrets) {
  Values values;
  for (; option != nullptr && option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    values[option->keyword] = option->val;
    const std::string_view keyword = option->keyword;
    if (keyword == "password" || keyword == "sslpassword") secrets.emplace_back(option->val);
  }
  return values;
}

/// A part in quotes may be a piece of the url, and so of the password.
std::string without_quoted(std::string_view message) {
  std::string kept;
  bool is_quoted = false;
  for (const char c : message) {
    if (c == '"') is_quoted = !is_quoted;
    if (!is_quoted && c != '\n') kept += c;
    if (is_quoted && c == '"') kept += "\"...";
  }
  return kept;
}

Error bad_url(const char* reason) {
  return Error{ErrorKind::config, "the connection url cannot be read: " +
                                      without_quoted(reason == nullptr ? "" : reason)}
      .fix(
          "write it as postgresql://user@host:port/database?option=value, special characters "
          "percent-encoded");
}

Result<Values> parse_url(const std::string& url, std::vector<std::string>& secrets) {
  char* message = nullptr;
  const ConnInfo parsed{PQconninfoParse(url.c_str(), &message), &PQconninfoFree};
  if (parsed == nullptr) {
    Error error = bad_url(message);
    PQfreemem(message);
    return error;
  }
  return collect(parsed.get(), secrets);
}

/// libpq resolves service files, PGHOST and the like only for a connection. Port 0 makes it give up
/// right after that, before it looks up a host.
Result<Values> resolve(const std::string& url, std::vector<std::string>& secrets) {
  const char* const keywords[] = {"dbname", "port", nullptr};
  const char* const values[] = {url.c_str(), "0", nullptr};
  const std::unique_ptr<PGconn, decltype(&PQfinish)> probe{
      PQconnectStartParams(keywords, values, 1), &PQfinish};
  if (probe == nullptr) return Error{ErrorKind::storage, "out of memory"};
  const std::string message = PQerrorMessage(probe.get());
  const ConnInfo info{PQconninfo(probe.get()), &PQconninfoFree};
  Values resolved = collect(info.get(), secrets);
  if (message.find("invalid port number: \"0\"") != std::string::npos) return resolved;
  std::string safe = message.substr(0, message.find('\n'));
  for (const std::string& secret : secrets)
    safe = redact(std::move(safe), secret);
  return Error{ErrorKind::config, "the connection url cannot be used: " + safe};
}

std::string_view find(const Values& values, std::string_view key) {
  const auto found = values.find(key);
  return found == values.end() ? std::string_view{} : std::string_view{found->second};
}

bool is_local_address(std::string_view host) {
  return host.empty() || host.front() == '/' || host.front() == '@' || host == "localhost" ||
         host == "::1" ||
         (host.starts_with("127.") &&
          host.find_first_not_of("0123456789.") == std::string_view::npos);
}

std::string system_ca_file() {
  const auto found = std::find_if(kSystemCaFiles.begin(), kSystemCaFiles.end(),
                                  [](const char* path) { return access(path, R_OK) == 0; });
  return found == kSystemCaFiles.end() ? std::string{} : *found;
}

/// Remote servers are verified unless the user said otherwise.
void add_tls(const Values& given, const Values& resolved, ConnectParameters& parameters) {
  const std::string_view address = find(resolved, "hostaddr");
  if (is_local_host(address.empty() ? find(resolved, "host") : address)) return;
  // "prefer" is what libpq answers when nobody chose.
  std::string mode{find(resolved, "sslmode")};
  const bool is_chosen = given.contains("sslmode") || (mode != "prefer" && !mode.empty());
  if (!is_chosen) {
    mode = "verify-full";
    parameters.values.emplace_back("sslmode", mode);
  }
  if (!mode.starts_with("verify-") || !find(resolved, "sslrootcert").empty()) return;
  const std::string ca_file = system_ca_file();
  if (!ca_file.empty()) parameters.values.emplace_back("sslrootcert", ca_file);
}

/// libpq prefers it wherever there is a Kerberos ticket, but does not let streams through it.
void leave_gssapi_encryption(const Values& resolved, ConnectParameters& parameters) {
  if (find(resolved, "gssencmode") != "require") {
    parameters.values.emplace_back("gssencmode", "disable");
  }
}

/// A dead peer is noticed within about half a minute, also while we have nothing to send.
void add_liveness(const Values& given, ConnectParameters& parameters) {
  const std::pair<const char*, const char*> defaults[] = {{"keepalives", "1"},
                                                          {"keepalives_idle", "10"},
                                                          {"keepalives_interval", "5"},
                                                          {"keepalives_count", "4"},
                                                          {"tcp_user_timeout", "30000"}};
  for (const auto& [key, value] : defaults) {
    if (!given.contains(key)) parameters.values.emplace_back(key, value);
  }
}

/// The user's own `options` first: of two settings of one name the later holds.
std::string session_options(std::string_view users_own) {
  std::string options{users_own};
  for (const PinnedSetting& setting : pinned_settings(true)) {
    options += options.empty() ? "-c " : " -c ";
    options += setting.name;
    options += '=';
    for (const char c : setting.value) {
      if (c == ' ') options += '\\';
      options += c;
    }
  }
  return options;
}

}  // namespace

std::vector<PinnedSetting> pinned_settings(bool has_search_path) {
  std::vector<PinnedSetting> settings{kPinned.begin(), kPinned.end()};
  if (has_search_path) settings.push_back({"search_path", "", ""});
  return settings;
}

bool is_local_host(std::string_view hosts) {
  for (;;) {
    const auto comma = hosts.find(',');
    if (!is_local_address(hosts.substr(0, comma))) return false;
    if (comma == std::string_view::npos) return true;
    hosts.remove_prefix(comma + 1);
  }
}

Result<ConnectParameters> connect_parameters(const ConnectOptions& options) {
  ConnectParameters parameters;
  auto given = parse_url(options.url, parameters.secrets);
  if (!given.ok()) return std::move(given).error();
  auto resolved = resolve(options.url, parameters.secrets);
  if (!resolved.ok()) return std::move(resolved).error();

  parameters.values.emplace_back("dbname", options.url);
  if (options.is_replication) parameters.values.emplace_back("replication", "database");
  if (!options.application_name.empty()) {
    parameters.values.emplace_back("application_name", options.application_name);
  }
  parameters.values.emplace_back("client_encoding", "UTF8");
  parameters.values.emplace_back("options", session_options(find(*resolved, "options")));
  add_tls(*given, *resolved, parameters);
  leave_gssapi_encryption(*resolved, parameters);
  add_liveness(*given, parameters);
  return parameters;
}

}  // namespace freshet::pg
