#include "source/stream_frame.h"

#include <cstdint>

#include "base/big_endian.h"

namespace freshet::source {
namespace {

constexpr std::size_t kWalDataHeader = 25;
constexpr std::size_t kKeepaliveBytes = 18;
constexpr std::size_t kStatusBytes = 34;

std::uint64_t integer_at(std::string_view frame, std::size_t offset) {
  return read_big_endian<std::uint64_t>(frame.data() + offset);
}

}  // namespace

Result<StreamEvent> parse_frame(std::string_view frame) {
  if (frame.starts_with('w') && frame.size() >= kWalDataHeader) {
    return StreamEvent{
        WalData{.start = Lsn{integer_at(frame, 1)},
                .wal_end = Lsn{integer_at(frame, 9)},
                .sent_at = SourceTime{static_cast<std::int64_t>(integer_at(frame, 17))},
                .bytes = frame.substr(kWalDataHeader)}};
  }
  if (frame.starts_with('k') && frame.size() == kKeepaliveBytes) {
    return StreamEvent{
        Keepalive{.wal_end = Lsn{integer_at(frame, 1)},
                  .sent_at = SourceTime{static_cast<std::int64_t>(integer_at(frame, 9))},
                  .wants_reply = frame[17] != 0}};
  }
  return Error{ErrorKind::protocol, "the server sent a replication frame that cannot be read"}
      .with("tag", frame.empty() ? 0ULL : static_cast<unsigned char>(frame.front()))
      .with("bytes", frame.size());
}

std::string status_frame(const StatusUpdate& update, SourceTime now) {
  std::string frame = "r";
  frame.reserve(kStatusBytes);
  append_big_endian(frame, to_integer(update.written));
  append_big_endian(frame, to_integer(update.flushed));
  append_big_endian(frame, to_integer(update.applied));
  append_big_endian(frame, static_cast<std::uint64_t>(to_integer(now)));
  frame += update.wants_reply ? '\1' : '\0';
  return frame;
}

}  // namespace freshet::source
