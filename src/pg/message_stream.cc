#include "pg/message_stream.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/big_endian.h"
#include "base/try.h"

namespace freshet::pg {
namespace {

constexpr std::size_t kHeaderBytes = 5;
constexpr std::size_t kLengthBytes = 4;
/// A read that comes back short with less than this left nothing behind, most likely. While more is
/// read, a server that was waiting for room sends on.
constexpr std::size_t kLoneReadBytes = 4096;

}  // namespace

MessageStream::MessageStream(Wire wire)
    : wire_(wire),
      buffer_(std::make_unique_for_overwrite<char[]>(kReadBufferBytes)),
      capacity_(kReadBufferBytes) {}

Result<std::optional<ServerMessage>> MessageStream::next() {
  // The memory of a large message is wanted elsewhere as soon as it was taken.
  if (begin_ == end_ && capacity_ > kReadBufferBytes) make_room();
  const char* const at = buffer_.get() + begin_;
  const std::size_t available = end_ - begin_;
  if (available < kHeaderBytes) return std::optional<ServerMessage>{};
  const std::size_t length = read_big_endian<std::uint32_t>(at + 1);
  if (length < kLengthBytes || length > kMessageBytesMax) {
    return Error{ErrorKind::protocol, "the server sent a message of an impossible length"}
        .with("type", static_cast<unsigned long long>(static_cast<unsigned char>(*at)))
        .with("bytes", static_cast<unsigned long long>(length));
  }
  if (available < length + 1) {
    wanted_ = length + 1;
    return std::optional<ServerMessage>{};
  }
  begin_ += length + 1;
  wanted_ = 0;
  return std::optional{ServerMessage{*at, {at + kHeaderBytes, length - kLengthBytes}}};
}

void MessageStream::make_room() {
  const std::size_t available = end_ - begin_;
  const std::size_t capacity = std::max(wanted_, kReadBufferBytes);
  if (capacity == capacity_) {
    if (begin_ > 0) std::memmove(buffer_.get(), buffer_.get() + begin_, available);
  } else {
    auto other = std::make_unique_for_overwrite<char[]>(capacity);
    std::memcpy(other.get(), buffer_.get() + begin_, available);
    buffer_ = std::move(other);
    capacity_ = capacity;
  }
  begin_ = 0;
  end_ = available;
}

Result<std::size_t> MessageStream::fill() {
  make_room();
  const std::size_t before = end_;
  is_drained_ = false;
  while (end_ < capacity_) {
    const std::size_t room = capacity_ - end_;
    const Result<std::size_t> count = wire_.read({buffer_.get() + end_, room});
    // What came before the end of the connection is wanted first; the end is met again.
    if (!count.ok() && end_ > before) break;
    if (!count.ok()) return count.error();
    end_ += *count;
    const bool is_lone = *count < std::min(room, kLoneReadBytes) && wire_.is_short_read_the_end();
    is_drained_ = *count == 0 || is_lone;
    if (is_drained_) break;
  }
  return end_ - before;
}

Status MessageStream::send(char type, std::string_view body) {
  unsent_ += type;
  append_big_endian(unsent_, static_cast<std::uint32_t>(body.size() + kLengthBytes));
  unsent_ += body;
  FRESHET_TRY([[maybe_unused]] const bool is_sent, flush());
  return {};
}

Result<bool> MessageStream::flush() {
  while (!unsent_.empty()) {
    FRESHET_TRY(const std::size_t count, wire_.write(unsent_));
    if (count == 0) return false;
    unsent_.erase(0, count);
  }
  return true;
}

}  // namespace freshet::pg
