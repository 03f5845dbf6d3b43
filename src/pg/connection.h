// One connection to a PostgreSQL server through libpq. Every session has the same settings pinned,
// so that a role's or database's own ones change no value; waits end on interrupt().
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "freshet/result.h"
#include "pg/interrupter.h"
#include "pg/message_stream.h"
#include "pg/rows.h"

struct pg_conn;

namespace freshet::pg {

struct ServerReport;

struct ConnectOptions {
  std::string url;                 ///< libpq URI or conninfo. May hold a password: never print it.
  std::string application_name{};  ///< Shown in pg_stat_activity, e.g. "freshet demo reader".
  bool is_replication = false;     ///< `replication=database`: takes replication commands and SQL.
  std::chrono::milliseconds connect_timeout{10'000};
  /// Shared by connections that stop together, and by open() itself; null: one of its own.
  std::shared_ptr<Interrupter> interrupter = {};
};

/// A WARNING or NOTICE of the server.
struct Notice {
  std::string severity;  ///< Not translated: "WARNING", "NOTICE", ...
  std::string sqlstate;
  std::string message;
};

/// Notices kept per connection until taken; later ones are dropped.
constexpr std::size_t kNoticesMax = 100;

/// What wait() waits for.
enum class Ready : std::uint8_t { read, write, read_or_write };

/// Use from one thread at a time, but for interrupt(). After an error of kind `connection` or
/// `cancelled` it is of no more use. The destructor closes without a commit.
class Connection {
 public:
  /// Connects, pins the session, checks that it took and that the server is PostgreSQL 14 or later.
  static Result<std::unique_ptr<Connection>> open(const ConnectOptions& options);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Runs the statements of `sql` (simple protocol); the last one's rows.
  Result<Rows> query(std::string_view sql);
  /// Runs one statement with parameters $1... in text form; nullopt is NULL.
  Result<Rows> query(std::string_view sql,
                     std::span<const std::optional<std::string_view>> parameters);
  /// As query(), for its effect alone.
  Status execute(std::string_view sql);

  /// Starts `COPY ... FROM STDIN`.
  Status start_copy_in(std::string_view sql);
  /// Any slice of the COPY stream.
  Status put_copy_data(std::string_view bytes);
  /// Ends the stream and waits for the answer: how many rows were taken in.
  Result<std::uint64_t> end_copy_in();
  /// Makes the COPY fail at the server. The connection stays usable.
  Status abort_copy_in(std::string_view reason);

  /// Starts `COPY ... TO STDOUT`.
  Status start_copy_out(std::string_view sql);
  /// The next row (a whole line in text format); valid until the next call. Nothing at the end,
  /// once the server has said that all went well.
  Result<std::optional<std::string_view>> next_copy_chunk();

  /// Gives a COPY TO up before its end. The connection stays usable, the transaction fails.
  Status abort_copy_out();

  /// Rows that the COPY just ended gave.
  std::uint64_t copied_rows() const noexcept { return copied_rows_; }

  /// E.g. 150020 or 180006.
  int server_version() const noexcept;
  /// The server process that serves this connection.
  int backend_pid() const noexcept;
  /// True if a transaction is open or failed.
  bool is_in_transaction() const noexcept;

  const std::vector<Notice>& notices() const noexcept { return notices_; }

  std::vector<Notice> take_notices();

  /// From any thread: the present call (its statement is cancelled at the server too) and all later
  /// ones fail with ErrorKind::cancelled, within about 100 ms.
  void interrupt() noexcept { interrupter_->trigger(); }

  const std::shared_ptr<Interrupter>& interrupter() const noexcept { return interrupter_; }

  /// For users of libpq's own calls (pipeline mode, replication). It is in non-blocking mode.
  pg_conn* raw() const noexcept { return connection_; }

  /// Waits for the socket until `timeout` (negative: without end); false when it ran out. Fails
  /// with `cancelled` on interrupt, after cancelling the running statement. `wake_fd`, when
  /// readable, ends the wait as a timeout does.
  Result<bool> wait(Ready ready, std::chrono::milliseconds timeout, int wake_fd = -1);
  /// Sends all that libpq has buffered, reading meanwhile what the server sends.
  Status flush();
  /// The next result of a statement sent through raw(); null at its end. Waits.
  Result<ResultPtr> next_result();

  /// Takes the wire from libpq, for streaming replication: of the rest of the class, only wait(),
  /// interrupt(), notices and take_aside() are of use then. No statement is running.
  Result<MessageStream*> take_over();
  /// Waits for more bytes of the wire that was taken over, after sending what waits to be sent.
  Status receive_more();
  /// True for a message that may come at any time and needs no answer: a notice, which is kept, a
  /// changed parameter, a notification.
  bool take_aside(const ServerMessage& message);

  /// Whether interrupt() cancels the statement at the server too (as it does at first), or merely
  /// stops waiting for it: for streams, which the server ends with the connection.
  void set_cancels(bool cancels) noexcept { cancels_ = cancels; }

  /// The Error of a failed result (null: of the connection).
  Error error_of(const pg_result* result) const;

 private:
  Connection(pg_conn* connection, std::shared_ptr<Interrupter> interrupter);
  static void receive_notice(void* self, const pg_result* result);
  void add_notice(const ServerReport& report);

  Status pin_session();
  Status check_usable();
  Result<Rows> collect();
  Status drain();
  Result<std::optional<ServerMessage>> next_copy_message();
  bool send_cancel() noexcept;
  Error cancel();

  pg_conn* connection_;
  std::shared_ptr<Interrupter> interrupter_;
  std::vector<Notice> notices_;
  std::unique_ptr<MessageStream> stream_;  // once somebody wanted it
  std::optional<Error> failure_;           // what the server said of the COPY TO that runs
  std::uint64_t copied_rows_ = 0;
  std::size_t unflushed_bytes_ = 0;
  bool is_copying_out_ = false;
  bool cancels_ = true;
  bool is_cancelled_ = false;
};

}  // namespace freshet::pg
