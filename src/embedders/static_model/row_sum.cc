#include "embedders/static_model/row_sum.h"

#include <bit>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace freshet {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors is little-endian");

// Shifts exponent and fraction into place and lets the multiplication set the exponent's bias
// right, subnormals included. Infinities and NaN do not come out as such: the model's loader
// refuses files that hold any.
float from_f16(std::uint16_t half) noexcept {
  const std::uint32_t magnitude = (half & 0x7FFFU) << 13;
  const float value = std::bit_cast<float>(magnitude) * 0x1p112F;
  const std::uint32_t sign = (half & 0x8000U) << 16;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) | sign);
}

float from_bf16(std::uint16_t half) noexcept {
  return std::bit_cast<float>(std::uint32_t{half} << 16);
}

float from_f32(float value) noexcept {
  return value;
}

template <typename Cell, float (*convert)(Cell) noexcept>
void sum_rows(const char* rows, std::span<const std::uint32_t> ids, std::span<float> sum) {
  for (const std::uint32_t id : ids) {
    const char* row = rows + std::size_t{id} * sum.size() * sizeof(Cell);
    for (std::size_t column = 0; column < sum.size(); ++column) {
      Cell cell;  // The file need not be aligned.
      std::memcpy(&cell, row + column * sizeof(Cell), sizeof(Cell));
      sum[column] += convert(cell);
    }
  }
}

#if defined(__x86_64__)
constexpr std::size_t kLane = 8;
constexpr std::size_t kBlock = 8 * kLane;

[[gnu::target("avx2,f16c"), gnu::always_inline]] inline __m256 load_f16(const char* cells) {
  __m128i half;
  std::memcpy(&half, cells, sizeof(half));
  return _mm256_cvtph_ps(half);
}

// One block of columns stays in registers while all rows are added; the sums are the same, bit for
// bit, as adding row by row.
[[gnu::target("avx2,f16c")]] void sum_f16_block(const char* cells,
                                                std::size_t row_bytes,
                                                std::span<const std::uint32_t> ids,
                                                float* sum) {
  __m256 lane[kBlock / kLane];
  for (std::size_t i = 0; i < kBlock / kLane; ++i)
    lane[i] = _mm256_loadu_ps(sum + i * kLane);
  for (const std::uint32_t id : ids) {
    const char* row = cells + id * row_bytes;
    for (std::size_t i = 0; i < kBlock / kLane; ++i) {
      lane[i] = _mm256_add_ps(lane[i], load_f16(row + i * kLane * 2));
    }
  }
  for (std::size_t i = 0; i < kBlock / kLane; ++i)
    _mm256_storeu_ps(sum + i * kLane, lane[i]);
}

[[gnu::target("avx2,f16c")]] void sum_f16_avx2(const char* rows,
                                               std::span<const std::uint32_t> ids,
                                               std::span<float> sum) {
  const std::size_t row_bytes = sum.size() * 2;
  std::size_t column = 0;
  for (; column + kBlock <= sum.size(); column += kBlock) {
    sum_f16_block(rows + column * 2, row_bytes, ids, &sum[column]);
  }
  for (; column < sum.size(); ++column) {
    for (const std::uint32_t id : ids) {
      std::uint16_t half;
      std::memcpy(&half, rows + id * row_bytes + column * 2, sizeof(half));
      sum[column] += from_f16(half);
    }
  }
}
#endif

}  // namespace

RowSum portable_row_sum(Float type) noexcept {
  switch (type) {
    case Float::f16:
      return sum_rows<std::uint16_t, from_f16>;
    case Float::bf16:
      return sum_rows<std::uint16_t, from_bf16>;
    case Float::f32:
      return sum_rows<float, from_f32>;
  }
  return nullptr;
}

RowSum fastest_row_sum(Float type) noexcept {
#if defined(__x86_64__)
  if (type == Float::f16 && __builtin_cpu_supports("avx2") != 0 &&
      __builtin_cpu_supports("f16c") != 0) {
    return sum_f16_avx2;
  }
#endif
  return portable_row_sum(type);
}

}  // namespace freshet
