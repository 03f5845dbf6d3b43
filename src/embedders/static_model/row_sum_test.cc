#include "embedders/static_model/row_sum.h"

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace freshet {
namespace {

template <typename Cell>
std::string bytes_of(const std::vector<Cell>& cells) {
  std::string bytes(cells.size() * sizeof(Cell), '\0');
  std::memcpy(bytes.data(), cells.data(), bytes.size());
  return bytes;
}

float reference_from_f16(std::uint16_t half) {
  const int exponent = (half >> 10) & 31;
  const float fraction = static_cast<float>(half & 1023);
  const float magnitude =
      exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024.0F + fraction, exponent - 25);
  return (half & 0x8000) != 0 ? -magnitude : magnitude;
}

TEST(RowSum, ReadsEveryFiniteHalf) {
  std::vector<std::uint16_t> halves;
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    if ((bits & 0x7C00) != 0x7C00) halves.push_back(static_cast<std::uint16_t>(bits));
  }
  const std::string rows = bytes_of(halves);
  const std::vector<std::uint32_t> ids{0};
  for (const RowSum sum : {portable_row_sum(Float::f16), fastest_row_sum(Float::f16)}) {
    std::vector<float> total(halves.size(), 0.0F);
    sum(rows.data(), ids, total);
    for (std::size_t at = 0; at < halves.size(); ++at) {
      ASSERT_EQ(total[at], reference_from_f16(halves[at])) << halves[at];
    }
  }
}

// Widths around the block of 64 columns, and rows that are not aligned.
TEST(RowSum, FastAndPortableGiveTheSameBits) {
  for (const std::size_t width : {1U, 7U, 63U, 64U, 65U, 128U, 200U, 256U, 300U}) {
    std::vector<std::uint16_t> halves(10 * width);
    for (std::size_t at = 0; at < halves.size(); ++at) {
      halves[at] = static_cast<std::uint16_t>((at * 2654435761U) & 0xBBFF);
    }
    const std::string rows = "x" + bytes_of(halves);
    const std::vector<std::uint32_t> ids{3, 1, 4, 1, 5, 9, 2, 6, 0, 7, 8};
    std::vector<float> fast(width, 0.0F);
    std::vector<float> portable(width, 0.0F);
    fastest_row_sum(Float::f16)(rows.data() + 1, ids, fast);
    portable_row_sum(Float::f16)(rows.data() + 1, ids, portable);
    EXPECT_EQ(fast, portable) << width;
  }
}

TEST(RowSum, AddsTheOtherTypes) {
  const std::vector<std::uint32_t> ids{1, 0, 1};
  std::vector<float> total(2, 0.0F);
  fastest_row_sum(Float::f32)(bytes_of(std::vector<float>{1, 2, 10, 20}).data(), ids, total);
  EXPECT_EQ(total, (std::vector<float>{21, 42}));
  total.assign(2, 0.0F);
  // 1.0, -2.0, 0.5, 3.0
  fastest_row_sum(Float::bf16)(
      bytes_of(std::vector<std::uint16_t>{0x3F80, 0xC000, 0x3F00, 0x4040}).data(), ids, total);
  EXPECT_EQ(total, (std::vector<float>{2, 4}));
}

}  // namespace
}  // namespace freshet
