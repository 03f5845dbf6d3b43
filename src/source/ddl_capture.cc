#include "source/ddl_capture.h"

#include <string_view>
#include <utility>

#include "base/try.h"
#include "pg/sqlstate.h"
#include "source/sql/sql.h"

namespace freshet::source {
namespace {

constexpr std::string_view kComment = "Freshet DDL capture, version 1";
constexpr int kTriggerCount = 2;

void replace(std::string& text, std::string_view what, std::string_view with) {
  for (std::size_t at = text.find(what); at != std::string::npos;
       at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
}

// The catalogue's queries, asked for one table: what is captured is what they would say.
std::string of_one_table(std::string_view query) {
  std::string text{query};
  replace(text, "$1", "ARRAY[target.relid]");
  return "\n" + text + "\n";
}

Status run(pg::Connection& connection, const std::string& sql) {
  Status done = connection.execute(sql);
  if (done.ok()) return done;
  if (connection.is_in_transaction()) static_cast<void>(connection.execute("ROLLBACK"));
  if (done.error().sqlstate() != pg::sqlstate::kInsufficientPrivilege) return done;
  return Error{ErrorKind::permission, done.error().message()}
      .sqlstate(done.error().sqlstate())
      .fix("event triggers need a superuser: add --print, and let one run the SQL");
}

}  // namespace

Result<DdlCaptureState> look_at_ddl_capture(pg::Connection& connection) {
  using Kind = DdlCaptureState::Kind;
  FRESHET_TRY(const pg::Rows rows, connection.query(sql::kSqlDdlCaptureState));
  if (rows.rows() == 0) return DdlCaptureState{Kind::absent, "not installed"};
  for (int row = 0; row < rows.rows(); ++row) {
    if (!rows.boolean(row, 1) || !rows.boolean(row, 2))
      return DdlCaptureState{
          Kind::broken, "the event trigger " + rows.string(row, 0) + " was disabled or replaced"};
    if (rows.text(row, 3) != kComment)
      return DdlCaptureState{Kind::outdated, "installed by another version of Freshet"};
  }
  if (rows.rows() < kTriggerCount)
    return DdlCaptureState{Kind::broken, "an event trigger is missing"};
  return DdlCaptureState{Kind::installed, "installed, version 1"};
}

std::string install_ddl_capture_sql() {
  std::string text{sql::kSqlInstallDdlCapture};
  replace(text, "{definition}", of_one_table(sql::kSqlDefinition));
  replace(text, "{columns}", of_one_table(sql::kSqlColumns));
  return text;
}

std::string remove_ddl_capture_sql() {
  return std::string{sql::kSqlRemoveDdlCapture};
}

Status install_ddl_capture(pg::Connection& connection) {
  return run(connection, install_ddl_capture_sql());
}

Status remove_ddl_capture(pg::Connection& connection) {
  return run(connection, remove_ddl_capture_sql());
}

}  // namespace freshet::source
