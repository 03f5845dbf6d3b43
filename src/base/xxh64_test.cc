#include "base/xxh64.h"

#include <gtest/gtest.h>

namespace freshet {
namespace {

// The expected values are the reference implementation's (Python package xxhash).
TEST(Xxh64, MatchesReferenceImplementation) {
  EXPECT_EQ(xxh64("", 0), 0xEF46DB3751D8E999U);
  EXPECT_EQ(xxh64("a", 0), 0xD24EC4F1A98C6E5BU);
  EXPECT_EQ(xxh64("abc", 0), 0x44BC2CF5AD770999U);
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
