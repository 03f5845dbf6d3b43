#include "state/postgres/state_schema.h"

#include <string>
#include <string_view>
#include <utility>

#include "base/sql_quote.h"
#include "base/try.h"
#include "pg/sqlstate.h"
#include "state/postgres/sql.h"

namespace freshet::state_schema {
namespace {

constexpr std::int64_t kVersion = 2;

/// What look.sql tells.
struct Place {
  bool has_tables = false;
  bool has_schema = false;
  bool may_use_schema = false;
  bool may_create = false;
  bool is_standby = false;
  std::string encoding;
  std::string role;
};

Result<Place> look(pg::Connection& connection) {
  FRESHET_TRY(const pg::Rows rows, connection.query(sql::kSqlLook));
  return Place{.has_tables = rows.boolean(0, 0),
               .has_schema = rows.boolean(0, 1),
               .may_use_schema = rows.boolean(0, 2),
               .may_create = rows.boolean(0, 3),
               .is_standby = rows.boolean(0, 4),
               .encoding = rows.string(0, 5),
               .role = rows.string(0, 6)};
}

Error closed_schema(const Place& place) {
  return Error{ErrorKind::permission, "the role may not use the state's schema"}
      .with("schema", "freshet_state")
      .fix("ALTER SCHEMA freshet_state OWNER TO " + quote_identifier(place.role) + ";");
}

Status check_version(pg::Connection& connection) {
  FRESHET_TRY(const pg::Rows rows, connection.query("SELECT version FROM freshet_state.version"));
  const std::int64_t version = rows.rows() == 1 ? rows.integer(0, 0) : 0;
  if (version == kVersion) return ok_status();
  const bool is_older = version > 0 && version < kVersion;
  return Error{ErrorKind::storage, version > kVersion ? "the state was written by a newer freshet"
                                   : is_older         ? "the state was written by an older freshet"
                                              : "the schema freshet_state is not one of Freshet's"}
      .with("version", std::to_string(version))
      .with("known_version", std::to_string(kVersion))
      .fix(is_older ? "run the older freshet, or let it `drop` its pipelines, drop the schema "
                      "freshet_state, and start again"
                    : "run the newer freshet, or name another database under `state`");
}

Status check_server(const Place& place) {
  if (place.is_standby) {
    return Error{ErrorKind::setting, "the state's server is a standby and cannot be written to"}
        .sqlstate(pg::sqlstate::kReadOnlyTransaction)
        .fix("connect to the primary, e.g. with target_session_attrs=read-write in the url");
  }
  // Names of every source have to fit.
  if (place.encoding != "UTF8") {
    return Error{ErrorKind::setting, "the state's database is not in UTF-8"}
        .with("encoding", place.encoding)
        .fix("name a database made WITH ENCODING 'UTF8' under `state`");
  }
  return ok_status();
}

Status check_tables(pg::Connection& connection, const Place& place) {
  FRESHET_TRY(const pg::Rows closed, connection.query(sql::kSqlCountClosedTables));
  if (closed.integer(0, 0) == 0) return check_version(connection);
  return Error{ErrorKind::permission, "the role may not write to the state's tables"}
      .with("schema", "freshet_state")
      .fix("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA freshet_state TO " +
           quote_identifier(place.role) + ";");
}

Status check(pg::Connection& connection, const Place& place) {
  FRESHET_TRY(check_server(place));
  if (place.has_schema && !place.may_use_schema) return closed_schema(place);
  if (place.has_tables) return check_tables(connection, place);
  if (place.may_create) return ok_status();
  if (place.has_schema) return closed_schema(place);
  return Error{ErrorKind::permission, "the role may not create a schema for the state"}
      .with("schema", "freshet_state")
      .fix("CREATE SCHEMA freshet_state AUTHORIZATION " + quote_identifier(place.role) + ";");
}

}  // namespace

Result<bool> is_made(pg::Connection& connection) {
  FRESHET_TRY(const Place place, look(connection));
  if (place.has_schema && !place.may_use_schema) return closed_schema(place);
  if (place.has_tables) FRESHET_TRY(check_version(connection));
  return place.has_tables;
}

Status check(pg::Connection& connection) {
  FRESHET_TRY(const Place place, look(connection));
  return check(connection, place);
}

Status make(pg::Connection& connection) {
  FRESHET_TRY(Place place, look(connection));
  FRESHET_TRY(check(connection, place));
  if (place.has_tables) return ok_status();
  // Whoever comes at the same moment waits, and then finds it made.
  FRESHET_TRY(connection.execute("BEGIN; SELECT pg_advisory_xact_lock(7310586231180162)"));
  FRESHET_TRY(place, look(connection));
  if (!place.has_tables) FRESHET_TRY(connection.execute(sql::kSqlCreateTables));
  FRESHET_TRY(connection.execute("COMMIT"));
  // Another role may have been the maker.
  return check(connection);
}

}  // namespace freshet::state_schema
