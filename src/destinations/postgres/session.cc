#include "destinations/postgres/session.h"

#include <charconv>

#include <fmt/format.h>
#include <libpq-fe.h>

#include "base/error_policy.h"
#include "base/log.h"
#include "base/try.h"
#include "destinations/postgres/origin.h"
#include "destinations/postgres/sql.h"
#include "pg/sqlstate.h"
#include "types/table_error.h"

namespace freshet::postgres {
namespace {

constexpr std::size_t kStatementsMax = 400;

std::string_view fixed_sql(Fixed statement) {
  switch (statement) {
    case Fixed::advance:
      return "SELECT freshet.advance($1::text, $2::text, $3::bigint, $4::pg_lsn, $5::pg_lsn, "
             "$6::bigint)";
    case Fixed::notify:
      return sql::kSqlNotify;
    case Fixed::record_chunk:
      return sql::kSqlRecordChunk;
    case Fixed::record_table:
      return sql::kSqlRecordTable;
    case Fixed::wal_positions:
      return sql::kSqlWalPositions;
  }
  return {};
}

// Those that Freshet made were taken away before it.
Error of_truncate(Error error, const TableSchema& schema) {
  error = naming(std::move(error), schema.name);
  if (error.sqlstate() != pg::sqlstate::kFeatureNotSupported) return error;
  return with_kind(ErrorKind::schema, error)
      .fix(
          "the source truncated it alone: drop the foreign key that refers to it at the "
          "destination, then `freshet table resync`");
}

}  // namespace

Error of_definition(Error error) {
  const bool is_depended_on = error.sqlstate() == pg::sqlstate::kDependentObjects ||
                              error.sqlstate() == pg::sqlstate::kFeatureNotSupported;
  if (!is_depended_on) return error;
  return with_kind(ErrorKind::schema, error)
      .with("reason", kDependedOn)
      .fix("change or drop what depends on it at the destination, then `freshet table resync`");
}

Error refine(Error error) {
  if (error.sqlstate() == "FR001") return with_kind(ErrorKind::fenced, error);
  if (error.sqlstate() == "FR002") return with_kind(ErrorKind::went_back, error);
  if (error.sqlstate() == "FR003")
    return with_kind(ErrorKind::data, error).with("reason", kLacksValues);
  return error;
}

bool is_order_conflict(const Error& error) noexcept {
  return error.sqlstate() == "23505" || error.sqlstate() == "23503" || error.sqlstate() == "FR003";
}

bool is_row_conflict(const Error& error) noexcept {
  return error.kind() == ErrorKind::data && !error.is_in_doubt();
}

bool breaks_session(const Error& error) noexcept {
  const ErrorKind kind = error.kind();
  return kind == ErrorKind::connection || kind == ErrorKind::cancelled ||
         kind == ErrorKind::fenced || kind == ErrorKind::went_back || error.is_in_doubt();
}

void set_replica_role(pg::Connection& connection, const std::string& destination) {
  if (!connection.execute("SET session_replication_role = replica").ok())
    log_debug("foreign keys fire at the destination", {{"destination", destination}});
}

Status prepare_session(pg::Connection& connection,
                       const std::string& pipeline,
                       const std::string& destination) {
  FRESHET_TRY(connection.execute(sql::kSqlSessionSettings));
  set_replica_role(connection, destination);
  return set_origin(connection, pipeline);
}

Status Session::send(const char* sql, const Purpose& purpose) {
  purposes_.push_back(purpose);
  return pipeline_.send(sql);
}

Status Session::send(Fixed statement, std::span<const pg::Parameter> parameters) {
  Purpose purpose;
  purpose.is_wal_positions = statement == Fixed::wal_positions;
  const auto key = static_cast<std::uint64_t>(statement);
  const auto known = statements_.find(key);
  return send_prepared(key, known == statements_.end() ? std::string{fixed_sql(statement)} : "",
                       parameters, purpose);
}

Status Session::send(Target& target,
                     Shape shape,
                     const ColumnSets& sets,
                     std::span<const pg::Parameter> parameters,
                     const Purpose& purpose) {
  const std::uint64_t key = (std::uint64_t{target.id} << 32) |
                            (std::uint64_t{static_cast<std::uint8_t>(shape)} << 24) |
                            target.set_id(sets);
  std::string sql;
  if (!statements_.contains(key)) sql = statement_sql(target, shape, sets);
  return send_prepared(key, sql, parameters, purpose);
}

Status Session::send_prepared(std::uint64_t key,
                              const std::string& sql,
                              std::span<const pg::Parameter> parameters,
                              const Purpose& purpose) {
  auto known = statements_.find(key);
  if (known == statements_.end()) {
    known = statements_.emplace(key, fmt::format("f{}", key)).first;
    purposes_.push_back(purpose);
    purposes_.back().expected_rows = 0;
    purposes_.back().is_wal_positions = false;
    FRESHET_TRY(pipeline_.send_prepare(known->second, sql));
  }
  purposes_.push_back(purpose);
  return pipeline_.send_prepared(known->second, parameters);
}

Status Session::sync() {
  auto failure = pipeline_.sync(
      [this](std::size_t command, const pg_result& result) { take_result(command, result); });
  Status status = failure ? Status{explain(*std::move(failure))} : ok_status();
  purposes_.clear();
  return status;
}

Status Session::end_pipeline() {
  if (PQpipelineStatus(connection_->raw()) == PQ_PIPELINE_OFF) return ok_status();
  Status synced = sync();
  if (!synced.ok()) {
    (void)pipeline_.leave();
    return synced;
  }
  return pipeline_.leave();
}

void Session::take_result(std::size_t command, const pg_result& result) {
  if (command >= purposes_.size()) return;
  const Purpose& purpose = purposes_[command];
  if (purpose.expected_rows > 0) {
    // libpq takes the result non-const, yet only reads it.
    const std::string_view tuples = PQcmdTuples(const_cast<pg_result*>(&result));
    std::uint64_t removed = 0;
    std::from_chars(tuples.data(), tuples.data() + tuples.size(), removed);
    if (removed >= purpose.expected_rows) return;
    if (purpose.target->missing_deletes == 0) {
      log_warn(
          "a row to be deleted is not at the destination; later ones are only counted",
          {{"table", to_string(purpose.target->schema->name)}, {"lsn", to_string(purpose.lsn)}});
    }
    purpose.target->missing_deletes += purpose.expected_rows - removed;
  } else if (purpose.is_wal_positions && PQntuples(&result) == 1) {
    wal_.insert = parse_lsn(PQgetvalue(&result, 0, 0)).value_or(kNoLsn);
    wal_.flush = parse_lsn(PQgetvalue(&result, 0, 1)).value_or(kNoLsn);
    wal_.has_synchronous_standbys = *PQgetvalue(&result, 0, 2) == 't';
  }
}

Error Session::explain(pg::PipelineFailure failure) const {
  const bool is_lost =
      failure.error.kind() == ErrorKind::connection || failure.error.kind() == ErrorKind::cancelled;
  bool sent_commit = false;
  for (const Purpose& purpose : purposes_)
    sent_commit |= purpose.is_commit;
  Error error = refine(std::move(failure.error));
  if (failure.command < purposes_.size()) {
    const Purpose& purpose = purposes_[failure.command];
    if (purpose.target != nullptr) error = naming(std::move(error), purpose.target->schema->name);
    if (purpose.truncated != nullptr) error = of_truncate(std::move(error), *purpose.truncated);
    if (purpose.lsn != kNoLsn) error.add("lsn", to_string(purpose.lsn));
  }
  // Once COMMIT is on its way, only the server knows.
  if (is_lost && sent_commit) return std::move(error).in_doubt();
  return error;
}

Status Session::roll_back(const char* sql) {
  purposes_.clear();
  if (PQpipelineStatus(connection_->raw()) != PQ_PIPELINE_OFF) {
    if (pipeline_.sent() > 0) (void)pipeline_.sync({});
    FRESHET_TRY(pipeline_.leave());
  }
  FRESHET_TRY(connection_->execute(sql));
  return ok_status();
}

Status Session::trim_statements() {
  if (statements_.size() <= kStatementsMax) return ok_status();
  return drop_statements();
}

Status Session::drop_statements() {
  statements_.clear();
  FRESHET_TRY(pipeline_.leave());
  return connection_->execute("DEALLOCATE ALL");
}

}  // namespace freshet::postgres
