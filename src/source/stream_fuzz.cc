// Fuzzes what a server sends on the wire: messages cut anywhere, and what is read from them. The
// first byte says how the bytes are cut.
// Covers: pg/message_stream.cc source/stream_frame.cc

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/testing/fuzz_input.h"
#include "base/try.h"
#include "pg/error.h"
#include "pg/message_stream.h"
#include "source/stream_frame.h"

namespace {

using freshet::testing::FuzzInput;

/// A pair of sockets, for all runs: what a run leaves unread, the next one's drain() takes.
struct Sockets {
  Sockets() { FRESHET_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0); }

  void drain() const {
    char buffer[4096];
    while (read(ends[0], buffer, sizeof buffer) > 0) {
    }
  }

  int ends[2] = {-1, -1};
};

std::uint32_t length_at(std::string_view bytes) {
  std::uint32_t length = 0;
  for (std::size_t i = 1; i < 5; ++i)
    length = length << 8 | static_cast<unsigned char>(bytes[i]);
  return length;
}

void read_body(const freshet::pg::ServerMessage& message) {
  const auto event = freshet::source::parse_frame(message.body);
  FRESHET_CHECK(event.ok() || event.error().kind() == freshet::ErrorKind::protocol);
  if (event.ok()) {
    if (const auto* data = std::get_if<freshet::source::WalData>(&*event)) {
      FRESHET_CHECK(data->bytes.size() + 25 == message.body.size());
    }
  }
  const freshet::pg::ServerReport report = freshet::pg::parse_report(message.body);
  FRESHET_CHECK(report.message.size() < std::max<std::size_t>(1, message.body.size()));
  static_cast<void>(freshet::pg::report_error(report).describe());
}

/// Takes what has come; false once a length was refused. `expected` is what was not taken yet.
bool take(freshet::pg::MessageStream& stream, std::string_view& expected) {
  while (true) {
    const auto next = stream.next();
    if (!next.ok()) {
      FRESHET_CHECK(next.error().kind() == freshet::ErrorKind::protocol);
      const std::uint32_t length = length_at(expected);
      FRESHET_CHECK(length < 4 || length > freshet::pg::kMessageBytesMax);
      return false;
    }
    if (!*next) return true;
    const std::size_t size = (*next)->body.size() + 5;
    FRESHET_CHECK(expected.size() >= size && length_at(expected) + 1 == size);
    FRESHET_CHECK((*next)->type == expected.front());
    FRESHET_CHECK((*next)->body == expected.substr(5, size - 5));
    read_body(**next);
    expected.remove_prefix(size);
  }
}

/// What is sent comes out at the other end, as it is read there.
void check_sent(freshet::pg::MessageStream& stream, const Sockets& sockets, std::uint64_t seed) {
  const freshet::source::StatusUpdate update{.written = freshet::Lsn{seed},
                                             .flushed = freshet::Lsn{seed / 2},
                                             .applied = freshet::Lsn{seed * 3},
                                             .wants_reply = seed % 2 == 1};
  const std::string frame =
      freshet::source::status_frame(update, freshet::SourceTime{static_cast<std::int64_t>(seed)});
  FRESHET_CHECK(stream.send(freshet::pg::message_type::kCopyData, frame).ok());
  const auto is_all = stream.flush();
  FRESHET_CHECK(is_all.ok() && *is_all);
  char buffer[64];
  const ssize_t size = read(sockets.ends[1], buffer, sizeof buffer);
  FRESHET_CHECK(size > 5);
  const std::string_view sent{buffer, static_cast<std::size_t>(size)};
  FRESHET_CHECK(sent.front() == 'd' && length_at(sent) + 1 == sent.size());
  FRESHET_CHECK(sent.substr(5) == frame && frame.size() == 34 && frame.front() == 'r');
  FRESHET_CHECK((frame.back() == 1) == update.wants_reply);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Sockets sockets;
  sockets.drain();
  FuzzInput in{data, size};
  const std::size_t piece_bytes = 1 + in.byte();
  const std::string bytes{in.rest()};
  freshet::pg::MessageStream stream{freshet::pg::Wire{sockets.ends[0], nullptr}};
  check_sent(stream, sockets, bytes.size());
  std::string_view expected = bytes;
  for (std::size_t at = 0; at < bytes.size(); at += piece_bytes) {
    const std::string_view piece = std::string_view{bytes}.substr(at, piece_bytes);
    FRESHET_CHECK(write(sockets.ends[1], piece.data(), piece.size()) ==
                  static_cast<ssize_t>(piece.size()));
    // A length that was announced is believed, so that only short ones are filled here.
    const bool is_huge = expected.size() >= 5 && length_at(expected) > (1U << 24) &&
                         length_at(expected) <= freshet::pg::kMessageBytesMax;
    if (is_huge) return 0;
    FRESHET_CHECK(stream.fill().ok());
    if (!take(stream, expected)) return 0;
  }
  return 0;
}
