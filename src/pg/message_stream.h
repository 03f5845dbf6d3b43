// The messages of a server, taken off the wire without a copy. A message is
//   byte type, int32 length (of itself and what follows), body
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "freshet/result.h"
#include "pg/wire.h"

namespace freshet::pg {

/// Types of messages (PostgreSQL 18, 54.7 "Message Formats").
namespace message_type {
constexpr char kCopyBoth = 'W';
constexpr char kCopyOut = 'H';
constexpr char kCopyData = 'd';
constexpr char kCopyDone = 'c';
constexpr char kCommandComplete = 'C';
constexpr char kError = 'E';
constexpr char kNotice = 'N';
constexpr char kNotification = 'A';
constexpr char kParameterStatus = 'S';
constexpr char kQuery = 'Q';
constexpr char kReady = 'Z';
}  // namespace message_type

struct ServerMessage {
  char type = 0;
  std::string_view body;  ///< Valid until the next call of next() or fill().
};

/// The longest message that PostgreSQL can make: its buffers end at 1 GiB.
constexpr std::size_t kMessageBytesMax = std::size_t{1} << 30;
/// Room for what one fill() takes. A longer message gets, while it is read, a buffer of its own
/// size.
constexpr std::size_t kReadBufferBytes = std::size_t{1} << 20;

/// One thread at a time.
class MessageStream {
 public:
  explicit MessageStream(Wire wire);

  /// The next message, if all of it has been received. Fails with `protocol` for a length that no
  /// server sends.
  Result<std::optional<ServerMessage>> next();
  /// Receives what is there, as far as the buffer has room; how many bytes. Does not wait.
  Result<std::size_t> fill();

  /// Whether the last fill() left nothing behind, so that it is worth waiting for the socket.
  bool is_drained() const noexcept { return is_drained_; }

  /// Sends a message. What the socket does not take now is kept for flush().
  Status send(char type, std::string_view body);
  /// Sends on; true once all has gone.
  Result<bool> flush();

 private:
  void make_room();

  Wire wire_;
  std::unique_ptr<char[]> buffer_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;   // of what was received and not taken
  std::size_t end_ = 0;     // behind it
  std::size_t wanted_ = 0;  // size of the message that begins there, if known
  bool is_drained_ = true;
  std::string unsent_;
};

}  // namespace freshet::pg
