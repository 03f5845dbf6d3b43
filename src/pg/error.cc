#include "pg/error.h"

#include <array>

#include <libpq-fe.h>

#include "base/sql_quote.h"
#include "pg/sqlstate.h"

namespace freshet::pg {
namespace {

/// Shorter ones would garble every message, and nobody could tell that they were there.
constexpr std::size_t kSecretBytesMin = 4;

struct KindRule {
  std::string_view prefix;  // a whole SQLSTATE, or its class
  ErrorKind kind;
};

// The first rule whose prefix fits decides: single codes stand before their class.
constexpr std::array kKindRules{
    KindRule{"08P01", ErrorKind::protocol},    KindRule{"08", ErrorKind::connection},
    KindRule{"0A", ErrorKind::unsupported},    KindRule{"0L", ErrorKind::permission},
    KindRule{"0P", ErrorKind::credentials},    KindRule{"21", ErrorKind::data},
    KindRule{"22", ErrorKind::data},           KindRule{"23", ErrorKind::data},
    KindRule{"25006", ErrorKind::setting},     KindRule{"25P03", ErrorKind::connection},
    KindRule{"25P04", ErrorKind::connection},  KindRule{"25", ErrorKind::internal},
    KindRule{"27", ErrorKind::data},           KindRule{"28", ErrorKind::credentials},
    KindRule{"38", ErrorKind::data},           KindRule{"39", ErrorKind::data},
    KindRule{"3D", ErrorKind::credentials},    KindRule{"3F", ErrorKind::schema},
    KindRule{"40003", ErrorKind::connection},  KindRule{"40002", ErrorKind::data},
    KindRule{"40", ErrorKind::busy},           KindRule{"42501", ErrorKind::permission},
    KindRule{"42601", ErrorKind::internal},    KindRule{"42703", ErrorKind::schema},
    KindRule{"42804", ErrorKind::schema},      KindRule{"42P01", ErrorKind::schema},
    KindRule{"42P10", ErrorKind::schema},      KindRule{"42704", ErrorKind::setting},
    KindRule{"44", ErrorKind::data},           KindRule{"53400", ErrorKind::setting},
    KindRule{"53", ErrorKind::busy},           KindRule{"54", ErrorKind::data},
    KindRule{"55P03", ErrorKind::busy},        KindRule{"55006", ErrorKind::busy},
    KindRule{"55", ErrorKind::setting},        KindRule{"57014", ErrorKind::busy},
    KindRule{"57P04", ErrorKind::credentials}, KindRule{"57", ErrorKind::connection},
    KindRule{"58", ErrorKind::busy},           KindRule{"72", ErrorKind::busy},
    KindRule{"P0", ErrorKind::data},           KindRule{"XX", ErrorKind::busy},
};

struct ReportField {
  char code;
  std::string_view ServerReport::* member;
};

constexpr std::array kReportFields{
    ReportField{PG_DIAG_SEVERITY_NONLOCALIZED, &ServerReport::severity},
    ReportField{PG_DIAG_SQLSTATE, &ServerReport::sqlstate},
    ReportField{PG_DIAG_MESSAGE_PRIMARY, &ServerReport::message},
    ReportField{PG_DIAG_MESSAGE_DETAIL, &ServerReport::detail},
    ReportField{PG_DIAG_CONTEXT, &ServerReport::context},
    ReportField{PG_DIAG_SCHEMA_NAME, &ServerReport::schema},
    ReportField{PG_DIAG_TABLE_NAME, &ServerReport::table},
    ReportField{PG_DIAG_COLUMN_NAME, &ServerReport::column},
    ReportField{PG_DIAG_CONSTRAINT_NAME, &ServerReport::constraint},
};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' '))
    text.remove_suffix(1);
  while (!text.empty() && (text.front() == '\n' || text.front() == ' '))
    text.remove_prefix(1);
  return text;
}

/// Replaces what stands from the first double quote to the last: messages of class 22 quote the
/// value there, which may hold quotes of its own.
std::string without_quoted(std::string_view message) {
  const auto first = message.find('"');
  if (first == std::string_view::npos) return std::string{message};
  const auto last = message.rfind('"');
  const std::string_view rest = last == first ? "" : message.substr(last + 1);
  return std::string{message.substr(0, first)}.append("\"...\"").append(rest);
}

/// `COPY t, line 3, column id: "x"` up to the value.
std::string_view copy_place(std::string_view context) {
  if (!context.starts_with("COPY ")) return {};
  return context.substr(0, context.find_first_of(":\n"));
}

/// The last line of libpq's message that states a fact: lines that begin with a tab explain the
/// one before them (`Is the server running on that host ...?`).
std::string_view last_fact(std::string_view message) {
  message = trimmed(message);
  for (;;) {
    const auto line = message.rfind('\n');
    if (line == std::string_view::npos) return trimmed(message);
    if (message[line + 1] != '\t') return trimmed(message.substr(line));
    message = trimmed(message.substr(0, line));
  }
}

/// Without `connection to server at "x", port 1 failed: FATAL:  28P01: `, which context tells. Of
/// several hosts' messages, the one whose SQLSTATE decides what to do.
std::string_view essence(std::string_view message, std::string_view sqlstate) {
  const std::string mark = ":  " + std::string{sqlstate} + ":";
  const auto at = sqlstate.empty() ? std::string_view::npos : message.rfind(mark);
  if (at != std::string_view::npos) {
    const std::string_view rest = message.substr(at + mark.size());
    return trimmed(rest.substr(0, rest.find('\n')));
  }
  const std::string_view line = last_fact(message);
  const auto failed = line.find(" failed: ");
  return failed == std::string_view::npos ? line : trimmed(line.substr(failed + 9));
}

struct Advice {
  ErrorKind kind;
  std::string fix;
};

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

Advice advise_refused(const ConnectFailure& failure) {
  if (failure.sqlstate == sqlstate::kInvalidPassword) {
    return {ErrorKind::credentials,
            "give the right password in PGPASSFILE (~/.pgpass), a service file or the url's "
            "${ENV} variable"};
  }
  if (contains(failure.message, "pg_hba.conf")) {
    return {ErrorKind::credentials,
            "add to the server's pg_hba.conf: host " + quote_identifier(failure.database) + " " +
                quote_identifier(failure.user) +
                " <this host's address>/32 scram-sha-256, then SELECT pg_reload_conf()"};
  }
  if (failure.sqlstate == sqlstate::kInvalidAuthorization) {
    return {ErrorKind::credentials, "create the role, or give it LOGIN: CREATE ROLE " +
                                        quote_identifier(failure.user) +
                                        " LOGIN REPLICATION PASSWORD '...'"};
  }
  if (failure.sqlstate == sqlstate::kUnknownDatabase) {
    return {ErrorKind::credentials, "name a database that exists in the url"};
  }
  if (failure.sqlstate == sqlstate::kInsufficientPrivilege && failure.is_replication) {
    return {ErrorKind::permission,
            "ALTER ROLE " + quote_identifier(failure.user) +
                " REPLICATION (managed services: GRANT rds_replication TO the role, or alike)"};
  }
  if (failure.sqlstate == sqlstate::kTooManyConnections) {
    const bool is_senders = contains(failure.message, "max_wal_senders");
    return {is_senders ? ErrorKind::setting : ErrorKind::busy,
            failure.is_replication ? "raise max_wal_senders (or max_connections) at the server and "
                                     "restart it, or end other replication connections"
                                   : "raise max_connections at the server and restart it"};
  }
  if (failure.sqlstate == sqlstate::kUndefinedObject) {
    return {ErrorKind::unsupported, "use PostgreSQL 14 or later, connected to without a pooler"};
  }
  return {kind_of_sqlstate(failure.sqlstate), {}};
}

Advice advise_unreached(const ConnectFailure& failure) {
  const std::string_view text = failure.message;
  if (contains(text, "could not translate host name")) {
    return {ErrorKind::connection, "check the host name in the url, and DNS"};
  }
  if (contains(text, "invalid port number") || contains(text, "invalid integer value")) {
    return {ErrorKind::config, "correct the number in the url"};
  }
  if (contains(text, "no password supplied")) {
    return {ErrorKind::credentials,
            "give a password in PGPASSFILE (~/.pgpass), a service file or the url's ${ENV} "
            "variable"};
  }
  if (contains(text, "does not support SSL")) {
    return {ErrorKind::setting,
            "set ssl = on at the server, or put sslmode=disable into the url if the network may "
            "be trusted"};
  }
  if (contains(text, "certificate")) {
    return {ErrorKind::setting,
            "put sslrootcert=<the CA's file> into the url (remote hosts are verified unless the "
            "url says sslmode=...)"};
  }
  if (contains(text, "refused") || contains(text, "No such file")) {
    return {ErrorKind::connection,
            "check that the server runs, its listen_addresses and port, and firewalls between"};
  }
  return {ErrorKind::connection, {}};
}

}  // namespace

ErrorKind kind_of_sqlstate(std::string_view sqlstate) noexcept {
  if (sqlstate.empty()) return ErrorKind::connection;
  for (const KindRule& rule : kKindRules) {
    if (sqlstate.starts_with(rule.prefix)) return rule.kind;
  }
  return ErrorKind::setting;
}

ServerReport parse_report(std::string_view body) {
  ServerReport report;
  while (!body.empty() && body.front() != '\0') {
    const char code = body.front();
    const auto end = body.find('\0', 1);
    if (end == std::string_view::npos) break;
    const std::string_view value = body.substr(1, end - 1);
    body.remove_prefix(end + 1);
    for (const ReportField& field : kReportFields) {
      if (field.code == code) report.*field.member = value;
    }
  }
  return report;
}

ServerReport report_of(const pg_result* result) {
  ServerReport report;
  for (const ReportField& field : kReportFields) {
    const char* text = PQresultErrorField(result, field.code);
    if (text != nullptr) report.*field.member = text;
  }
  return report;
}

Error report_error(const ServerReport& report) {
  const bool quotes_values = report.sqlstate.starts_with("22");
  const bool is_of_definitions = report.sqlstate == sqlstate::kFeatureNotSupported ||
                                 report.sqlstate == sqlstate::kDependentObjects;
  Error error = Error{kind_of_sqlstate(report.sqlstate),
                      quotes_values ? without_quoted(report.message) : std::string{report.message}}
                    .sqlstate(report.sqlstate);
  const std::pair<std::string_view, std::string_view> names[] = {
      {"schema", report.schema},
      {"table", report.table},
      {"column", report.column},
      {"constraint", report.constraint},
      {"at", copy_place(report.context)},
      // The detail names definitions then, and holds no row.
      {"detail", is_of_definitions ? report.detail : ""}};
  for (const auto& [key, value] : names) {
    if (!value.empty()) error.add(key, value);
  }
  return error;
}

Error statement_error(pg_conn* connection, const pg_result* result) {
  const ServerReport report = report_of(result);
  if (!report.sqlstate.empty()) return report_error(report);
  const bool is_lost = PQstatus(connection) == CONNECTION_BAD;
  // libpq says "invalid socket" where it noticed the loss at an earlier call.
  if (is_lost && last_fact(PQerrorMessage(connection)) == "invalid socket") {
    return Error{ErrorKind::connection, "the connection was lost"};
  }
  return Error{is_lost ? ErrorKind::connection : ErrorKind::protocol,
               std::string{last_fact(PQerrorMessage(connection))}};
}

Error connect_error(const ConnectFailure& failure) {
  const Advice advice =
      failure.sqlstate.empty() ? advise_unreached(failure) : advise_refused(failure);
  Error error = Error{advice.kind, std::string{essence(failure.message, failure.sqlstate)}}
                    .sqlstate(failure.sqlstate)
                    .fix(advice.fix);
  if (!failure.host.empty()) error.add("host", failure.host);
  if (!failure.port.empty()) error.add("port", failure.port);
  if (!failure.user.empty()) error.add("user", failure.user);
  if (!failure.database.empty()) error.add("database", failure.database);
  return error;
}

std::string redact(std::string text, std::string_view secret) {
  if (secret.size() < kSecretBytesMin) return text;
  for (auto at = text.find(secret); at != std::string::npos; at = text.find(secret, at + 3)) {
    text.replace(at, secret.size(), "***");
  }
  return text;
}

}  // namespace freshet::pg
