// COPY in both directions.
#include <algorithm>
#include <charconv>
#include <utility>

#include <libpq-fe.h>

#include "base/try.h"
#include "pg/connection.h"
#include "pg/error.h"
#include "pg/sqlstate.h"

namespace freshet::pg {
namespace {

/// libpq's buffer may hold so much before we wait for the server to take it.
constexpr std::size_t kFlushBytes = std::size_t{64} << 10;

std::uint64_t row_count(std::string_view text) {
  std::uint64_t rows = 0;
  std::from_chars(text.data(), text.data() + text.size(), rows);
  return rows;
}

}  // namespace

Status Connection::start_copy_in(std::string_view sql) {
  FRESHET_TRY(check_usable());
  if (PQsendQuery(connection_, std::string{sql}.c_str()) == 0) return error_of(nullptr);
  FRESHET_TRY(const ResultPtr result, next_result());
  if (result != nullptr && PQresultStatus(result.get()) == PGRES_COPY_IN) {
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
  return row_count(PQcmdTuples(rows.raw()));
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
  FRESHET_TRY(MessageStream* const stream, take_over());
  copied_rows_ = 0;
  failure_.reset();
  FRESHET_TRY(stream->send(message_type::kQuery, std::string{sql} + '\0'));
  is_copying_out_ = true;
  FRESHET_TRY(const auto answer, next_copy_message());
  if (answer && answer->type == message_type::kCopyOut) return {};
  if (answer) FRESHET_TRY(abort_copy_out());
  return Error{ErrorKind::internal, "the statement is no COPY TO STDOUT"};
}

/// The next message that the statement itself answers with; nothing at its good end.
Result<std::optional<ServerMessage>> Connection::next_copy_message() {
  for (;;) {
    FRESHET_TRY(const std::optional<ServerMessage> message, stream_->next());
    if (!message) {
      const Status received = receive_more();
      // The server's own last word says more than the end of the connection that follows.
      if (!received.ok()) return failure_ ? *failure_ : received.error();
      continue;
    }
    switch (message->type) {
      case message_type::kCopyData:
      case message_type::kCopyOut:
        return message;
      case message_type::kCommandComplete:
        copied_rows_ =
            row_count(message->body.substr(std::min<std::size_t>(5, message->body.size())));
        break;
      case message_type::kError:
        failure_ = report_error(parse_report(message->body));
        break;
      case message_type::kReady:
        is_copying_out_ = false;
        if (failure_) return *std::exchange(failure_, std::nullopt);
        return std::optional<ServerMessage>{};
      default:
        // Among them what other statements answer, which start_copy_out() refuses.
        take_aside(*message);
    }
  }
}

Status Connection::receive_more() {
  if (interrupter_->is_triggered()) return cancel();
  if (stream_->is_drained()) {
    FRESHET_TRY([[maybe_unused]] const bool is_sent, stream_->flush());
    FRESHET_TRY([[maybe_unused]] const bool is_ready,
                wait(Ready::read, std::chrono::milliseconds{-1}));
  }
  FRESHET_TRY([[maybe_unused]] const std::size_t bytes, stream_->fill());
  return {};
}

Result<std::optional<std::string_view>> Connection::next_copy_chunk() {
  FRESHET_TRY(const auto message, next_copy_message());
  if (!message) return std::optional<std::string_view>{};
  return std::optional{message->body};
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
