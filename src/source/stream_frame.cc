#include "source/stream_frame.h"

#include <cstdint>

namespace freshet::source {
namespace {

constexpr std::size_t kWalDataHeader = 25;
constexpr std::size_t kKeepaliveBytes = 18;
constexpr std::size_t kStatusBytes = 34;

std::uint64_t read_integer(std::string_view bytes, std::size_t at) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i)
    value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

void append_integer(std::string& bytes, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8)
    bytes += static_cast<char>(value >> shift & 0xFF);
}

}  // namespace

Result<StreamEvent> parse_frame(std::string_view frame) {
  if (frame.starts_with('w') && frame.size() >= kWalDataHeader) {
    return StreamEvent{
        WalData{.start = Lsn{read_integer(frame, 1)},
                .wal_end = Lsn{read_integer(frame, 9)},
                .sent_at = SourceTime{static_cast<std::int64_t>(read_integer(frame, 17))},
                .bytes = frame.substr(kWalDataHeader)}};
  }
  if (frame.starts_with('k') && frame.size() == kKeepaliveBytes) {
    return StreamEvent{
        Keepalive{.wal_end = Lsn{read_integer(frame, 1)},
                  .sent_at = SourceTime{static_cast<std::int64_t>(read_integer(frame, 9))},
                  .wants_reply = frame[17] != 0}};
  }
  return Error{ErrorKind::protocol, "the server sent a replication frame that cannot be read"}
      .with("tag", frame.empty() ? 0ULL : static_cast<unsigned char>(frame.front()))
      .with("bytes", frame.size());
}

std::string status_frame(const StatusUpdate& update, SourceTime now) {
  std::string frame = "r";
  frame.reserve(kStatusBytes);
  append_integer(frame, to_integer(update.written));
  append_integer(frame, to_integer(update.flushed));
  append_integer(frame, to_integer(update.applied));
  append_integer(frame, static_cast<std::uint64_t>(to_integer(now)));
  frame += update.wants_reply ? '\1' : '\0';
  return frame;
}

}  // namespace freshet::source
