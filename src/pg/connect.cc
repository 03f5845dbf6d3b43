// Opening a connection and pinning its session.
#include <cstring>

#include <libpq-fe.h>

#include "base/sql_quote.h"
#include "base/try.h"
#include "pg/connect_parameters.h"
#include "pg/connection.h"
#include "pg/error.h"
#include "pg/socket_wait.h"

namespace freshet::pg {
namespace {

constexpr int kServerVersionMin = 140'000;
/// The first version that has transaction_timeout.
constexpr int kTransactionTimeoutSince = 170'000;

using Clock = std::chrono::steady_clock;

struct Finish {
  void operator()(pg_conn* connection) const noexcept { PQfinish(connection); }
};

using ConnectionPtr = std::unique_ptr<pg_conn, Finish>;

std::string text_of(const char* text) {
  return text == nullptr ? std::string{} : text;
}

ConnectionPtr start(const ConnectParameters& parameters) {
  std::vector<const char*> keywords;
  std::vector<const char*> values;
  for (const auto& [keyword, value] : parameters.values) {
    keywords.push_back(keyword.c_str());
    values.push_back(value.c_str());
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  ConnectionPtr connection{PQconnectStartParams(keywords.data(), values.data(), 1)};
  // Verbose messages carry the SQLSTATE, which libpq does not give otherwise at this stage.
  if (connection != nullptr) PQsetErrorVerbosity(connection.get(), PQERRORS_VERBOSE);
  return connection;
}

/// The SQLSTATE in a verbose `FATAL:  28P01: password ...`, the last one if there are several.
std::string find_sqlstate(std::string_view message) {
  std::string found;
  for (std::size_t at = message.find(":  "); at != std::string_view::npos;
       at = message.find(":  ", at + 1)) {
    const std::string_view code = message.substr(at + 3, 5);
    const bool is_code =
        code.size() == 5 && message.substr(at + 8, 1) == ":" &&
        code.find_first_not_of("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == std::string_view::npos;
    if (is_code) found = code;
  }
  return found;
}

Error failure_of(pg_conn* connection,
                 const ConnectParameters& parameters,
                 const ConnectOptions& options) {
  std::string message = PQerrorMessage(connection);
  for (const std::string& secret : parameters.secrets)
    message = redact(message, secret);
  return connect_error({.message = message,
                        .sqlstate = find_sqlstate(message),
                        .host = text_of(PQhost(connection)),
                        .port = text_of(PQport(connection)),
                        .user = text_of(PQuser(connection)),
                        .database = text_of(PQdb(connection)),
                        .is_replication = options.is_replication});
}

Error not_in_time(pg_conn* connection, std::chrono::milliseconds timeout) {
  return Error{ErrorKind::connection, "the server did not answer in time"}
      .with("host", text_of(PQhost(connection)))
      .with("port", text_of(PQport(connection)))
      .with("timeout_ms", static_cast<unsigned long long>(timeout.count()))
      .fix("check the address in the url and firewalls between");
}

/// Drives libpq's handshake until it is done, the time is up or somebody interrupts.
Status finish_handshake(pg_conn* connection,
                        const ConnectParameters& parameters,
                        const ConnectOptions& options,
                        const Interrupter& interrupter) {
  const auto deadline = Clock::now() + options.connect_timeout;
  PostgresPollingStatusType next = PGRES_POLLING_WRITING;
  while (next != PGRES_POLLING_OK) {
    if (next == PGRES_POLLING_FAILED || PQstatus(connection) == CONNECTION_BAD) {
      return failure_of(connection, parameters, options);
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) return not_in_time(connection, options.connect_timeout);
    const Ready ready = next == PGRES_POLLING_READING ? Ready::read : Ready::write;
    const Woken woken = wait_for({PQsocket(connection), ready, left, -1}, interrupter);
    if (woken == Woken::interrupted) return Error{ErrorKind::cancelled, "stopped on request"};
    if (woken == Woken::failed) return Error{ErrorKind::connection, std::strerror(errno)};
    if (woken == Woken::timed_out) return not_in_time(connection, options.connect_timeout);
    next = PQconnectPoll(connection);
  }
  return {};
}

/// A query that lists the pinned settings which hold another value than ours.
std::string check_sql() {
  std::string sql = "SELECT string_agg(v.n, ', ') FROM (VALUES ";
  bool is_first = true;
  for (const PinnedSetting& setting : pinned_settings(false)) {
    if (!is_first) sql += ", ";
    is_first = false;
    sql += "(" + quote_literal(setting.name) + ", " + quote_literal(setting.shown) + ")";
  }
  sql +=
      ", ('client_encoding', 'UTF8')) AS v(n, s) "
      "WHERE NOT starts_with(pg_catalog.current_setting(v.n), v.s) "
      "OR pg_catalog.current_setting('search_path') NOT IN ('', '\"\"')";
  return sql;
}

}  // namespace

Result<std::unique_ptr<Connection>> Connection::open(const ConnectOptions& options) {
  FRESHET_TRY(const ConnectParameters parameters, connect_parameters(options));
  auto interrupter = options.interrupter ? options.interrupter : std::make_shared<Interrupter>();
  if (interrupter->is_triggered()) return Error{ErrorKind::cancelled, "stopped on request"};
  ConnectionPtr raw = start(parameters);
  if (raw == nullptr) return Error{ErrorKind::storage, "out of memory"};
  FRESHET_TRY(finish_handshake(raw.get(), parameters, options, *interrupter));
  PQsetErrorVerbosity(raw.get(), PQERRORS_DEFAULT);
  if (PQsetnonblocking(raw.get(), 1) != 0) {
    return Error{ErrorKind::connection, "the socket cannot be made non-blocking"};
  }
  std::unique_ptr<Connection> connection{new Connection(raw.release(), std::move(interrupter))};
  FRESHET_TRY(connection->pin_session());
  return connection;
}

Status Connection::pin_session() {
  if (server_version() < kServerVersionMin) {
    return Error{ErrorKind::unsupported, "the server is older than PostgreSQL 14"}
        .with("server_version", std::to_string(server_version()))
        .fix("use PostgreSQL 14 or later");
  }
  // Only some versions know these, so they cannot be in the start-up packet.
  std::string sql = "SET idle_session_timeout = 0; ";
  if (server_version() >= kTransactionTimeoutSince) sql += "SET transaction_timeout = 0; ";
  FRESHET_TRY(const Rows rows, query(sql + check_sql()));
  if (rows.rows() == 1 && rows.is_null(0, 0)) return {};
  return Error{ErrorKind::setting, "the server did not take our session settings"}
      .with("settings", rows.rows() == 1 ? rows.text(0, 0) : std::string_view{})
      .fix("connect to the server itself instead of through a connection pooler");
}

}  // namespace freshet::pg
