#include "source/replication_connection.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <utility>

#include <libpq-fe.h>
#include <linux/tcp.h>

#include "base/sql_quote.h"
#include "base/try.h"
#include "pg/error.h"
#include "pg/socket_wait.h"
#include "pg/sqlstate.h"
#include "source/replication_command.h"

namespace freshet::source {
namespace {

/// How often to say for whom a slot's creation waits.
constexpr std::chrono::milliseconds kReportEvery{1000};

SourceTime postgres_now() {
  const auto unix_micros = std::chrono::duration_cast<std::chrono::microseconds>(
                               std::chrono::system_clock::now().time_since_epoch())
                               .count();
  return SourceTime{unix_micros - kPostgresEpochUnixMicros};
}

/// On a short path, makes the server's bytes wait at the server (see burst_pace.h). A long one
/// needs all the window that it can get.
void limit_receive_buffer(int socket) {
  constexpr std::uint32_t kShortPathMicros = 500;
  tcp_info info{};
  socklen_t size = sizeof info;
  if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return;  // no TCP
  if (info.tcpi_min_rtt > kShortPathMicros) return;
  setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &kBurstReceiveBytes, sizeof kBurstReceiveBytes);
}

Error unknown_message(const pg::ServerMessage& message) {
  return Error{ErrorKind::protocol, "the server sent a message that has no place in a stream"}.with(
      "type", static_cast<unsigned long long>(static_cast<unsigned char>(message.type)));
}

}  // namespace

ReplicationConnection::ReplicationConnection(std::unique_ptr<pg::Connection> connection)
    : connection_(std::move(connection)) {}

Result<std::unique_ptr<ReplicationConnection>> ReplicationConnection::open(
    pg::ConnectOptions options) {
  options.is_replication = true;
  FRESHET_TRY(auto connection, pg::Connection::open(options));
  return std::unique_ptr<ReplicationConnection>{new ReplicationConnection(std::move(connection))};
}

Result<SystemIdentity> ReplicationConnection::identify_system() {
  FRESHET_TRY(const pg::Rows rows, connection_->query("IDENTIFY_SYSTEM"));
  if (rows.rows() != 1 || rows.columns() < 4) {
    return Error{ErrorKind::protocol, "the server answered IDENTIFY_SYSTEM in an unknown form"};
  }
  return SystemIdentity{.system_identifier = rows.string(0, 0),
                        .timeline = static_cast<std::uint32_t>(rows.unsigned_integer(0, 1)),
                        .flushed = rows.lsn(0, 2),
                        .database = rows.string(0, 3)};
}

// The second column is the history file: a line per timeline passed, "number<TAB>end<TAB>reason".
Result<std::optional<Lsn>> ReplicationConnection::timeline_end(std::uint32_t timeline,
                                                               std::uint32_t now) {
  FRESHET_TRY(const pg::Rows rows, connection_->query("TIMELINE_HISTORY " + std::to_string(now)));
  if (rows.rows() != 1 || rows.columns() < 2) {
    return Error{ErrorKind::protocol, "the server answered TIMELINE_HISTORY in an unknown form"};
  }
  std::string_view text = rows.text(0, 1);
  const std::string prefix = std::to_string(timeline) + "\t";
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (!line.starts_with(prefix)) continue;
    const std::string_view rest = line.substr(prefix.size());
    return std::optional<Lsn>{parse_lsn(rest.substr(0, rest.find('\t')))};
  }
  return std::optional<Lsn>{};
}

Status ReplicationConnection::await_slot(const CreateSlotOptions& options) {
  while (PQisBusy(connection_->raw()) == 1) {
    FRESHET_TRY(const bool is_ready, connection_->wait(pg::Ready::read, kReportEvery));
    if (is_ready) {
      if (PQconsumeInput(connection_->raw()) == 0) return connection_->error_of(nullptr);
    } else if (options.observer != nullptr && options.report) {
      FRESHET_TRY(const auto waited_for, find_open_transactions(*options.observer, ""));
      options.report(waited_for);
    }
  }
  return {};
}

Result<CreatedSlot> ReplicationConnection::create_slot(const CreateSlotOptions& options) {
  FRESHET_TRY(const std::string command,
              create_slot_command(options, connection_->server_version()));
  if (PQsendQuery(connection_->raw(), command.c_str()) == 0) return connection_->error_of(nullptr);
  FRESHET_TRY(connection_->flush());
  FRESHET_TRY(await_slot(options));
  FRESHET_TRY(pg::ResultPtr result, connection_->next_result());
  if (result == nullptr || PQresultStatus(result.get()) != PGRES_TUPLES_OK) {
    return create_slot_error(connection_->error_of(result.get()), options.name);
  }
  const pg::Rows rows{std::move(result)};
  const CreatedSlot slot{.consistent_point = rows.lsn(0, 1), .snapshot_name = rows.string(0, 2)};
  FRESHET_TRY([[maybe_unused]] const auto end, connection_->next_result());
  return slot;
}

Status ReplicationConnection::drop_slot(const std::string& name) {
  const Status dropped = connection_->execute("DROP_REPLICATION_SLOT " + quote_identifier(name));
  if (dropped.ok() || dropped.error().sqlstate() == pg::sqlstate::kUndefinedObject) return {};
  return slot_error(dropped.error(), name);
}

Status ReplicationConnection::start(const StartOptions& options) {
  FRESHET_TRY(const std::string command, start_command(options, connection_->server_version()));
  connection_->take_notices();
  limit_receive_buffer(PQsocket(connection_->raw()));
  FRESHET_TRY(stream_, connection_->take_over());
  // The end of the connection ends the stream; a cancel would only be an error in the server's log.
  connection_->set_cancels(false);
  FRESHET_TRY(stream_->send(pg::message_type::kQuery, command + '\0'));
  const Status started = await_stream();
  if (!started.ok()) return start_error(started.error(), options.slot);
  return check_notices();
}

/// Waits for the answer to START_REPLICATION.
Status ReplicationConnection::await_stream() {
  for (;;) {
    FRESHET_TRY(const auto message, stream_->next());
    if (!message) {
      FRESHET_TRY(connection_->receive_more());
    } else if (message->type == pg::message_type::kCopyBoth) {
      return {};
    } else if (message->type == pg::message_type::kError) {
      return pg::report_error(pg::parse_report(message->body));
    } else if (!connection_->take_aside(*message)) {
      return unknown_message(*message);
    }
  }
}

Status ReplicationConnection::check_notices() {
  // Taken, not just looked at: the connection keeps a limited number.
  for (const pg::Notice& notice : connection_->take_notices()) {
    if (notice.sqlstate != pg::sqlstate::kNotInPrerequisiteState) continue;
    return Error{ErrorKind::gap, notice.message}
        .sqlstate(notice.sqlstate)
        .fix(
            "the publication was missing when changes were decoded, so they were not sent: "
            "create it again, then run `freshet drop` and start afresh");
  }
  return {};
}

Result<StreamEvent> ReplicationConnection::receive(const ReceiveOptions& options) {
  for (bool has_waited = false;;) {
    FRESHET_TRY(const std::optional<pg::ServerMessage> message, stream_->next());
    if (message) {
      FRESHET_TRY(const std::optional<StreamEvent> event, interpret(*message));
      if (event) return *event;
      continue;
    }
    if (stream_->is_drained()) {
      if (has_waited) return StreamEvent{Idle{}};
      FRESHET_TRY(const bool is_ready, await_bytes(options));
      if (!is_ready) return StreamEvent{Idle{}};
      has_waited = true;
    }
    FRESHET_TRY(const std::size_t bytes, stream_->fill());
    burst_bytes_ += bytes;
    if (stream_->is_drained())
      pace_.drained(std::exchange(burst_bytes_, 0), BurstPace::Clock::now());
  }
}

/// Until the socket is readable, and on while a backlog gathers; false if nothing came.
Result<bool> ReplicationConnection::await_bytes(const ReceiveOptions& options) {
  // Status updates that the socket did not take at once go out here.
  FRESHET_TRY([[maybe_unused]] const bool is_sent, stream_->flush());
  FRESHET_TRY(const bool is_ready,
              connection_->wait(pg::Ready::read, options.wait_max, options.wake_fd));
  const std::chrono::microseconds nap = pace_.nap();
  // Who asks without time to wait has the server to answer, and others to give what came.
  if (nap.count() > 0 && options.wait_max.count() == 0) return false;
  if (is_ready && nap.count() > 0) {
    pg::wait_for({.timeout = nap}, *connection_->interrupter());
  }
  return is_ready;
}

Result<std::optional<StreamEvent>> ReplicationConnection::interpret(
    const pg::ServerMessage& message) {
  using Event = std::optional<StreamEvent>;
  switch (message.type) {
    case pg::message_type::kCopyData: {
      FRESHET_TRY(const StreamEvent event, parse_frame(message.body));
      return Event{event};
    }
    case pg::message_type::kCopyDone:
      return Event{};
    case pg::message_type::kCommandComplete:
    case pg::message_type::kReady:
      return Event{Ended{}};
    case pg::message_type::kError:
      FRESHET_TRY(check_notices());
      return stream_error(pg::report_error(pg::parse_report(message.body)));
    default:
      if (!connection_->take_aside(message)) return unknown_message(message);
      FRESHET_TRY(check_notices());
      return Event{};
  }
}

Status ReplicationConnection::send_status(const StatusUpdate& update) {
  return stream_->send(pg::message_type::kCopyData, status_frame(update, postgres_now()));
}

Status ReplicationConnection::stop() {
  return stream_->send(pg::message_type::kCopyDone, {});
}

}  // namespace freshet::source
