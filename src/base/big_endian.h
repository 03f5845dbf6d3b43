// Unsigned integers as the network has them: most significant byte first.
#pragma once

#include <concepts>
#include <cstddef>
#include <string>

namespace freshet {

/// Reads sizeof(T) bytes, which must be there.
template <std::unsigned_integral T>
T read_big_endian(const char* at) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    value = static_cast<T>(value << 8 | static_cast<unsigned char>(at[i]));
  return value;
}

template <std::unsigned_integral T>
void append_big_endian(std::string& bytes, T value) {
  for (std::size_t i = sizeof(T); i-- > 0;)
    bytes += static_cast<char>(value >> (8 * i) & 0xFF);
}

}  // namespace freshet
