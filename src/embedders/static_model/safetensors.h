// Finds one tensor in a safetensors file.
//
// Format: 8 bytes little-endian length N, N bytes of JSON {name: {dtype, shape, data_offsets}},
// then the data; offsets count from the data's first byte. The file is not trusted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "freshet/result.h"

namespace freshet {

enum class Float : std::uint8_t { f16, bf16, f32 };

constexpr std::size_t size_bytes(Float type) noexcept {
  return type == Float::f32 ? 4 : 2;
}

/// A matrix of floats, row after row, little-endian; a view into the file's bytes.
struct MatrixView {
  Float type = Float::f16;
  std::size_t row_count = 0;
  std::size_t column_count = 0;
  std::string_view data;
};

/// The matrix called `name`, or if there is none the file's only matrix. Errors are of kind
/// `config`.
Result<MatrixView> find_matrix(std::string_view file, std::string_view name);

}  // namespace freshet
