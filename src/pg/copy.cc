// COPY in both directions.
#include <charconv>
#include <cstring>

#include <libpq-fe.h>

#include "base/try.h"
#include "pg/connection.h"
#include "pg/sqlstate.h"

namespace freshet::pg {
namespace {

/// libpq's buffer may hold so much before we wait for the server to take it.
constexpr std::size_t kFlushBytes = std::size_t{64} << 10;

std::uint64_t row_count(pg_result* result) {
  const std::string_view text = PQcmdTuples(result);
  std::uint64_t rows = 0;
  std::from_chars(text.data(), text.data() + text.size(), rows);
  return rows;
}

}  // namespace

Status Connection::expect_copy(std::string_view sql, int status) {
  FRESHET_TRY(check_usable());
  if (PQsendQuery(connection_, std::string{sql}.c_str()) == 0) return error_of(nullptr);
  FRESHET_TRY(const ResultPtr result, next_result());
  if (result != nullptr && PQresultStatus(result.get()) == static_cast<ExecStatusType>(status)) {
    unflushed_bytes_ = 0;
    return {};
  }
  Error error = result != nullptr && PQresultStatus(result.get()) != PGRES_FATAL_ERROR
                    ? Error{ErrorKind::internal, "the statement is no COPY"}
                    : error_of(result.get());
  FRESHET_TRY(drain());
  return error;
}

Status Connection::drain() {
  for (;;) {
    FRESHET_TRY(const ResultPtr result, next_result());
    if (result == nullptr || PQstatus(connection_) == CONNECTION_BAD) return {};
  }
}

Status Connection::start_copy_in(std::string_view sql) {
  return expect_copy(sql, PGRES_COPY_IN);
}

Status Connection::put_copy_data(std::string_view bytes) {
  FRESHET_TRY(check_usable());
  constexpr std::size_t kPieceBytes = std::size_t{1} << 20;
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, kPieceBytes);
    const int taken = PQputCopyData(connection_, piece.data(), static_cast<int>(piece.size()));
    if (taken < 0) return error_of(nullptr);
    unflushed_bytes_ += piece.size();
    // 0: libpq's buffer is full.
    if (taken == 0 || unflushed_bytes_ >= kFlushBytes) {
      FRESHET_TRY(flush());
      unflushed_bytes_ = 0;
    }
    if (taken > 0) bytes.remove_prefix(piece.size());
  }
  return {};
}

Result<std::uint64_t> Connection::end_copy_in() {
  FRESHET_TRY(check_usable());
  for (;;) {
    const int taken = PQputCopyEnd(connection_, nullptr);
    if (taken > 0) break;
    if (taken < 0) return error_of(nullptr);
    FRESHET_TRY(flush());
  }
  FRESHET_TRY(const Rows rows, collect());
  return row_count(rows.raw());
}

Status Connection::abort_copy_in(std::string_view reason) {
  FRESHET_TRY(check_usable());
  const std::string text{reason.empty() ? "given up" : reason};
  for (;;) {
    const int taken = PQputCopyEnd(connection_, text.c_str());
    if (taken > 0) break;
    if (taken < 0) return error_of(nullptr);
    FRESHET_TRY(flush());
  }
  const auto refused = collect();
  const bool is_lost = PQstatus(connection_) == CONNECTION_BAD;
  if (!refused.ok() && (is_lost || refused.error().kind() == ErrorKind::cancelled)) {
    return refused.error();
  }
  return {};
}

Status Connection::start_copy_out(std::string_view sql) {
  copied_rows_ = 0;
  return expect_copy(sql, PGRES_COPY_OUT);
}

Result<std::optional<std::string_view>> Connection::next_copy_chunk() {
  PQfreemem(std::exchange(copy_row_, nullptr));
  for (;;) {
    if (interrupter_->is_triggered()) return cancel();
    const int size = PQgetCopyData(connection_, &copy_row_, 1);
    if (size > 0) return std::optional{std::string_view{copy_row_, static_cast<std::size_t>(size)}};
    if (size == -2) return error_of(nullptr);
    if (size == -1) break;
    FRESHET_TRY([[maybe_unused]] const bool is_ready,
                wait(Ready::read, std::chrono::milliseconds{-1}));
    if (PQconsumeInput(connection_) == 0) return error_of(nullptr);
  }
  FRESHET_TRY(const Rows rows, collect());
  copied_rows_ = row_count(rows.raw());
  return std::optional<std::string_view>{};
}

Status Connection::abort_copy_out() {
  FRESHET_TRY(check_usable());
  send_cancel();
  // Rows already on their way come first, then the statement's failure.
  for (;;) {
    const auto row = next_copy_chunk();
    if (row.ok() && row->has_value()) continue;
    if (row.ok() || row.error().sqlstate() == sqlstate::kQueryCanceled) return {};
    return row.error();
  }
}

}  // namespace freshet::pg
