// Turns what libpq reports into an Error: which kind it is, and what mends it.
#pragma once

#include <string>
#include <string_view>

#include "freshet/result.h"

struct pg_conn;
struct pg_result;

namespace freshet::pg {

/// The kind of a statement's failure, by its SQLSTATE alone. Total: a code that is not known is
/// `connection` when it is empty, else `setting`. Replication commands refine it (slot missing,
/// slot invalidated: `gap`).
ErrorKind kind_of_sqlstate(std::string_view sqlstate) noexcept;

/// What the server says in an ErrorResponse or a NoticeResponse, as far as it is of use. Views.
struct ServerReport {
  std::string_view severity;  ///< Not translated: "ERROR", "WARNING", ...
  std::string_view sqlstate;
  std::string_view message;
  std::string_view detail;
  std::string_view context;
  std::string_view schema;
  std::string_view table;
  std::string_view column;
  std::string_view constraint;
};

/// Reads the body of such a message; fields that are cut off or unknown are left out. Pure.
/// PostgreSQL 18, 54.8 "Error and Notice Message Fields".
ServerReport parse_report(std::string_view body);
ServerReport report_of(const pg_result* result);

/// An Error of what the server reports: its primary message, without the values that messages of
/// class 22 quote, and names of table, column and constraint as context. Its detail, which may
/// hold rows, only of 0A000, where it holds none.
Error report_error(const ServerReport& report);

/// report_error() of a failed statement. `result` may be null: then the connection itself failed.
Error statement_error(pg_conn* connection, const pg_result* result);

/// What a failed connection attempt is known by.
struct ConnectFailure {
  std::string message;   ///< libpq's, secrets removed.
  std::string sqlstate;  ///< Empty if the server sent none, or libpq does not tell.
  std::string host;
  std::string port;
  std::string user;
  std::string database;
  bool is_replication = false;
};

/// An Error of a failed connection attempt, with the advice that fits: refused, unknown host, wrong
/// password, no pg_hba.conf line, role without REPLICATION, TLS. Pure.
Error connect_error(const ConnectFailure& failure);

/// Replaces every occurrence of `secret` in `text` by `***`; not of one of less than four bytes.
std::string redact(std::string text, std::string_view secret);

}  // namespace freshet::pg
