// A walsender session: replication commands, then the stream of pgoutput messages.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "freshet/lsn.h"
#include "freshet/result.h"
#include "pg/connection.h"
#include "source/burst_pace.h"
#include "source/stream_frame.h"
#include "source/waiting.h"

namespace freshet::source {

/// What IDENTIFY_SYSTEM tells.
struct SystemIdentity {
  std::string system_identifier;
  std::uint32_t timeline = 0;
  Lsn flushed = kNoLsn;
  std::string database;
};

struct CreateSlotOptions {
  std::string name;
  bool is_two_phase = false;
  bool is_failover = false;  ///< 17+
  bool is_temporary = false;
  /// Not on a standby: rows that the snapshot should see may be gone before anybody holds it.
  bool exports_snapshot = true;
  /// Asked for whom the creation waits, when it does; may be null.
  pg::Connection* observer = nullptr;
  WaitReport report{};
};

struct CreatedSlot {
  Lsn consistent_point = kNoLsn;
  /// Importable (SET TRANSACTION SNAPSHOT) until this connection's next command or its end; empty
  /// if none was asked for.
  std::string snapshot_name;
};

struct StartOptions {
  std::string slot;
  Position start;  ///< Transactions that end at or before it are not sent.
  std::vector<std::string> publications{};
  int protocol_version = 0;  ///< 0: the highest that the server speaks, up to 4.
  bool is_streaming = true;
  bool is_two_phase = false;
  bool sends_messages = true;
  bool is_binary = false;
  std::string origin = "any";  ///< "any" or "none"; a server before 16 sends all
};

struct ReceiveOptions {
  std::chrono::milliseconds wait_max{1000};  ///< 0: only what is there already, and no nap.
  int wake_fd = -1;
};

/// The highest pgoutput protocol version (1..4) of a server version such as 150020.
int protocol_version_of(int server_version) noexcept;

/// One thread at a time, but for interrupt().
class ReplicationConnection {
 public:
  /// Connects with `replication=database`, whatever `options` says of it.
  static Result<std::unique_ptr<ReplicationConnection>> open(pg::ConnectOptions options);

  Result<SystemIdentity> identify_system();
  /// Where `timeline` ended in the history of the server's timeline `now`; nothing: it is no part
  /// of it.
  Result<std::optional<Lsn>> timeline_end(std::uint32_t timeline, std::uint32_t now);
  /// Waits for transactions that are open now to end; interrupt() then leaves no slot behind.
  Result<CreatedSlot> create_slot(const CreateSlotOptions& options);
  Status drop_slot(const std::string& name);
  /// Starts streaming. `slot_in_use` (context `pid`) while another session streams from the slot;
  /// `gap` when it is missing or was invalidated.
  Status start(const StartOptions& options);
  /// The next event. Takes what was received before it looks at the socket. Fails with `gap` when
  /// the server warns that it skips a publication, `protocol` for a malformed frame.
  Result<StreamEvent> receive(const ReceiveOptions& options);
  Status send_status(const StatusUpdate& update);
  /// Asks the server to end the stream; receive() until Ended.
  Status stop();

  /// See pg::Connection::interrupt().
  void interrupt() noexcept { connection_->interrupt(); }

  pg::Connection& connection() noexcept { return *connection_; }

 private:
  explicit ReplicationConnection(std::unique_ptr<pg::Connection> connection);
  Status await_stream();
  Result<bool> await_bytes(const ReceiveOptions& options);
  Result<std::optional<StreamEvent>> interpret(const pg::ServerMessage& message);
  Status check_notices();
  Status await_slot(const CreateSlotOptions& options);

  std::unique_ptr<pg::Connection> connection_;
  pg::MessageStream* stream_ = nullptr;  // the connection's, from start() on
  BurstPace pace_;
  std::size_t burst_bytes_ = 0;  // read since the socket was last empty
};

}  // namespace freshet::source
