// Statements and waiting. Opening is in connect.cc, COPY in copy.cc.
#include "pg/connection.h"

#include <cerrno>
#include <cstring>

#include <libpq-fe.h>

#include "base/try.h"
#include "pg/error.h"
#include "pg/socket_wait.h"

namespace freshet::pg {
namespace {

/// How long an interrupted statement may take to end before we stop looking.
constexpr std::chrono::milliseconds kCancelWait{100};

bool is_failure(const PGresult* result) {
  const ExecStatusType status = PQresultStatus(result);
  return status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE ||
         status == PGRES_NONFATAL_ERROR || status == PGRES_PIPELINE_ABORTED;
}

bool is_copy(const PGresult* result) {
  const ExecStatusType status = PQresultStatus(result);
  return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

}  // namespace

Connection::Connection(pg_conn* connection, std::shared_ptr<Interrupter> interrupter)
    : connection_(connection), interrupter_(std::move(interrupter)) {
  PQsetNoticeReceiver(connection_, &Connection::receive_notice, this);
}

Connection::~Connection() {
  PQfinish(connection_);
}

void Connection::receive_notice(void* self, const pg_result* result) {
  static_cast<Connection*>(self)->add_notice(report_of(result));
}

void Connection::add_notice(const ServerReport& report) {
  if (notices_.size() >= kNoticesMax) return;
  notices_.push_back(
      {std::string{report.severity}, std::string{report.sqlstate}, std::string{report.message}});
}

std::vector<Notice> Connection::take_notices() {
  return std::exchange(notices_, {});
}

int Connection::server_version() const noexcept {
  return PQserverVersion(connection_);
}

int Connection::backend_pid() const noexcept {
  return PQbackendPID(connection_);
}

bool Connection::is_in_transaction() const noexcept {
  const PGTransactionStatusType status = PQtransactionStatus(connection_);
  return status == PQTRANS_INTRANS || status == PQTRANS_INERROR || status == PQTRANS_ACTIVE;
}

Error Connection::error_of(const pg_result* result) const {
  return statement_error(connection_, result);
}

Status Connection::check_usable() {
  if (interrupter_->is_triggered()) return cancel();
  if (PQstatus(connection_) == CONNECTION_BAD) {
    return Error{ErrorKind::connection, "the connection to the server is closed"};
  }
  return {};
}

Result<MessageStream*> Connection::take_over() {
  FRESHET_TRY(check_usable());
  if (!stream_) {
    FRESHET_TRY(const Wire wire, Wire::of(connection_));
    stream_ = std::make_unique<MessageStream>(wire);
  }
  return stream_.get();
}

bool Connection::take_aside(const ServerMessage& message) {
  if (message.type == message_type::kNotice) add_notice(parse_report(message.body));
  return message.type == message_type::kNotice || message.type == message_type::kParameterStatus ||
         message.type == message_type::kNotification;
}

bool Connection::send_cancel() noexcept {
  PGcancel* request = PQgetCancel(connection_);
  char reason[256];
  const bool is_sent = request != nullptr && PQcancel(request, reason, sizeof reason) == 1;
  PQfreeCancel(request);
  return is_sent;
}

Error Connection::cancel() {
  const Error stopped{ErrorKind::cancelled, "stopped on request"};
  const bool is_running = is_copying_out_ || PQtransactionStatus(connection_) == PQTRANS_ACTIVE;
  if (!is_running || !cancels_ || is_cancelled_) return stopped;
  is_cancelled_ = true;
  // A server that cannot be reached needs no cancelling.
  if (!send_cancel()) return stopped;
  const Interrupter never;
  const auto deadline = std::chrono::steady_clock::now() + kCancelWait;
  while (PQisBusy(connection_) == 1 && PQstatus(connection_) != CONNECTION_BAD) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) break;
    if (wait_for({PQsocket(connection_), Ready::read, left, -1}, never) != Woken::ready) break;
    if (PQconsumeInput(connection_) == 0) break;
  }
  return stopped;
}

Result<bool> Connection::wait(Ready ready, std::chrono::milliseconds timeout, int wake_fd) {
  switch (wait_for({PQsocket(connection_), ready, timeout, wake_fd}, *interrupter_)) {
    case Woken::ready:
      return true;
    case Woken::timed_out:
    case Woken::woken:
      return false;
    case Woken::interrupted:
      return cancel();
    case Woken::failed:
      return Error{ErrorKind::connection, std::strerror(errno)};
  }
  return false;
}

Status Connection::flush() {
  for (;;) {
    const int left = PQflush(connection_);
    if (left == 0) return {};
    if (left < 0) return error_of(nullptr);
    FRESHET_TRY([[maybe_unused]] const bool is_ready,
                wait(Ready::read_or_write, std::chrono::milliseconds{-1}));
    // The server may have to be read before it reads on.
    if (PQconsumeInput(connection_) == 0) return error_of(nullptr);
  }
}

Result<ResultPtr> Connection::next_result() {
  FRESHET_TRY(flush());
  while (PQisBusy(connection_) == 1) {
    FRESHET_TRY([[maybe_unused]] const bool is_ready,
                wait(Ready::read, std::chrono::milliseconds{-1}));
    // A lost connection shows as a failed result.
    if (PQconsumeInput(connection_) == 0) break;
  }
  return ResultPtr{PQgetResult(connection_)};
}

Result<Rows> Connection::collect() {
  ResultPtr last;
  for (;;) {
    FRESHET_TRY(ResultPtr result, next_result());
    if (result == nullptr) break;
    if (is_copy(result.get())) {
      return Error{ErrorKind::internal, "a COPY was run as if it were a query"};
    }
    last = std::move(result);
    if (PQstatus(connection_) == CONNECTION_BAD) break;
  }
  if (last == nullptr) return error_of(nullptr);
  if (is_failure(last.get())) return error_of(last.get());
  return Rows{std::move(last)};
}

Result<Rows> Connection::query(std::string_view sql) {
  FRESHET_TRY(check_usable());
  if (PQsendQuery(connection_, std::string{sql}.c_str()) == 0) return error_of(nullptr);
  return collect();
}

Result<Rows> Connection::query(std::string_view sql,
                               std::span<const std::optional<std::string_view>> parameters) {
  FRESHET_TRY(check_usable());
  std::vector<std::string> owned;  // libpq wants each value to end with NUL
  std::vector<const char*> values;
  owned.reserve(parameters.size());
  for (const auto& parameter : parameters) {
    values.push_back(parameter ? owned.emplace_back(*parameter).c_str() : nullptr);
  }
  if (PQsendQueryParams(connection_, std::string{sql}.c_str(), static_cast<int>(values.size()),
                        nullptr, values.data(), nullptr, nullptr, 0) == 0) {
    return error_of(nullptr);
  }
  return collect();
}

Status Connection::execute(std::string_view sql) {
  FRESHET_TRY([[maybe_unused]] const Rows rows, query(sql));
  return {};
}

}  // namespace freshet::pg
