// The checksum of rows, defined so that any language can compute it again
// (docs/destinations/null.md):
//   h = 0; for each column in order: h = XXH64(bytes, seed h)
// where bytes are the value's text form as UTF-8, "\0" for NULL and "\0\1" for a value that was not
// sent (text holds no NUL). A table's sum is the sum of its rows' hashes modulo 2^64, so order is
// moot.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/xxh64.h"
#include "freshet/row.h"

namespace freshet {

constexpr std::string_view kNullMark{"\0", 1};
constexpr std::string_view kUnchangedMark{"\0\1", 2};

inline std::uint64_t row_hash(RowView row) noexcept {
  std::uint64_t hash = 0;
  for (const Value& value : row) {
    if (value.is_null()) {
      hash = xxh64(kNullMark, hash);
    } else {
      hash = xxh64(value.is_unchanged() ? kUnchangedMark : value.view(), hash);
    }
  }
  return hash;
}

inline std::uint64_t row_bytes(RowView row) noexcept {
  std::uint64_t bytes = 0;
  for (const Value& value : row)
    bytes += value.size;
  return bytes;
}

}  // namespace freshet
