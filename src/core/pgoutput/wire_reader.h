// Reads PostgreSQL's wire primitives out of bytes that are not trusted. Failure is sticky: after
// the first one every read gives zero or nothing, so that a decoder checks once at its end, not per
// field.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "freshet/lsn.h"

namespace freshet::pgoutput {

/// A cursor over bytes that someone else keeps alive.
class WireReader {
 public:
  explicit WireReader(std::string_view bytes)
      : begin_(bytes.data()), cursor_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  std::uint8_t u8() { return static_cast<std::uint8_t>(integer<std::uint8_t>()); }

  std::uint16_t u16() { return __builtin_bswap16(integer<std::uint16_t>()); }

  std::uint32_t u32() { return __builtin_bswap32(integer<std::uint32_t>()); }

  std::uint64_t u64() { return __builtin_bswap64(integer<std::uint64_t>()); }

  std::int16_t i16() { return static_cast<std::int16_t>(u16()); }

  std::int32_t i32() { return static_cast<std::int32_t>(u32()); }

  Oid oid() { return Oid{u32()}; }

  Xid xid() { return Xid{u32()}; }

  Lsn lsn() { return Lsn{u64()}; }

  SourceTime time() { return SourceTime{static_cast<std::int64_t>(u64())}; }

  /// Reads up to a NUL, which must be there.
  std::string_view cstring() {
    const void* nul = remaining() == 0 ? nullptr : std::memchr(cursor_, 0, remaining());
    if (nul == nullptr) {
      fail("a string without its end");
      return {};
    }
    const auto size = static_cast<std::size_t>(static_cast<const char*>(nul) - cursor_);
    const std::string_view text{cursor_, size};
    cursor_ += size + 1;
    return text;
  }

  /// Reads a signed 32-bit size and as many bytes.
  std::string_view sized_bytes() {
    const std::int32_t size = i32();
    if (size < 0) {
      fail("a negative size");
      return {};
    }
    if (remaining() < static_cast<std::size_t>(size)) {
      fail("a value that ends past the message");
      return {};
    }
    const std::string_view bytes{cursor_, static_cast<std::size_t>(size)};
    cursor_ += size;
    return bytes;
  }

  std::string_view rest() const { return {cursor_, remaining()}; }

  std::size_t remaining() const { return static_cast<std::size_t>(end_ - cursor_); }

  std::size_t offset() const { return static_cast<std::size_t>(cursor_ - begin_); }

  bool ok() const { return problem_ == nullptr; }

  /// What failed first (a literal), and where.
  const char* problem() const { return problem_; }

  std::size_t problem_offset() const { return problem_offset_; }

  /// Notes a failure, unless there is one; the rest of the bytes is out of reach from now on.
  void fail(const char* problem) {
    if (problem_ != nullptr) return;
    problem_ = problem;
    problem_offset_ = offset();
    end_ = cursor_;
  }

 private:
  static_assert(std::endian::native == std::endian::little, "the reader swaps bytes");

  template <typename T>
  T integer() {
    if (remaining() < sizeof(T)) {
      fail("the end of the message");
      return 0;
    }
    T value;
    std::memcpy(&value, cursor_, sizeof(T));
    cursor_ += sizeof(T);
    return value;
  }

  const char* begin_;
  const char* cursor_;
  const char* end_;
  const char* problem_ = nullptr;
  std::size_t problem_offset_ = 0;
};

}  // namespace freshet::pgoutput
