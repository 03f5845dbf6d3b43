#include "base/xxh64.h"

#include <string>

#include <gtest/gtest.h>

namespace freshet {
namespace {

// The expected values are the reference implementation's (Python package xxhash).
TEST(Xxh64, MatchesReferenceImplementation) {
  EXPECT_EQ(xxh64("", 0), 0xEF46DB3751D8E999U);
  EXPECT_EQ(xxh64("a", 0), 0xD24EC4F1A98C6E5BU);
  EXPECT_EQ(xxh64("abc", 0), 0x44BC2CF5AD770999U);
  EXPECT_EQ(xxh64("The quick brown fox jumps over the lazy dog, twice and more", 0),
            0x1C8C72DB7145B3A1U);
  EXPECT_EQ(xxh64(std::string(32, 'x'), 7), 0x3FE32C632942FB04U);
  EXPECT_EQ(xxh64(std::string(101, 'x'), std::uint64_t{1} << 63U), 0xAA3FB12D8AC25159U);
}

TEST(Xxh64, EveryLengthAndSeedGivesAnotherValue) {
  const std::string bytes(100, 'x');
  std::uint64_t last = 0;
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    const std::uint64_t hash = xxh64(std::string_view(bytes).substr(0, size), size);
    EXPECT_NE(hash, last);
    last = hash;
  }
}

}  // namespace
}  // namespace freshet
