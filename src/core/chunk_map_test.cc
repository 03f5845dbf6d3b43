#include "core/chunk_map.h"

#include <gtest/gtest.h>

namespace freshet {
namespace {

Snapshot snapshot() {
  auto parsed = Snapshot::parse("10:10:");
  EXPECT_TRUE(parsed.ok());
  return std::move(parsed).value();
}

TEST(ChunkMap, NothingIsReadAtFirst) {
  ChunkMap chunks;
  EXPECT_EQ(chunks.find("m"), nullptr);
  EXPECT_EQ(chunks.unread(), (std::vector<KeyRange>{{"", {}}}));
  EXPECT_FALSE(chunks.is_complete());
}

TEST(ChunkMap, ARangeHoldsItsFirstKeyAndNotItsEnd) {
  ChunkMap chunks;
  const ChunkId id = chunks.begin({"b", "d"}, snapshot());
  EXPECT_EQ(chunks.find("a"), nullptr);
  ASSERT_NE(chunks.find("b"), nullptr);
  EXPECT_EQ(chunks.find("b")->id, id);
  EXPECT_NE(chunks.find("czz"), nullptr);
  EXPECT_EQ(chunks.find("d"), nullptr);
  EXPECT_EQ(chunks.unread(), (std::vector<KeyRange>{{"", "b"}, {"d", {}}}));
}

TEST(ChunkMap, IsCompleteOnceAllThatCoversTheKeysIsDone) {
  ChunkMap chunks;
  const ChunkId first = chunks.begin({"", "m"}, snapshot());
  const ChunkId second = chunks.begin({"m", {}}, snapshot());
  EXPECT_TRUE(chunks.unread().empty());
  EXPECT_FALSE(chunks.is_complete());
  EXPECT_TRUE(chunks.finish(second, Lsn{70}));
  EXPECT_TRUE(chunks.finish(first, Lsn{50}));
  EXPECT_TRUE(chunks.is_complete());
  EXPECT_EQ(chunks.read_upto(), Lsn{70});
  EXPECT_EQ(chunks.find("zzz")->state, ChunkMap::State::done);
}

TEST(ChunkMap, AChunkDroppedIsUnreadAgain) {
  ChunkMap chunks;
  const ChunkId first = chunks.begin({"", "m"}, snapshot());
  chunks.begin({"m", {}}, snapshot());
  chunks.find("a")->held.push_back(Xid{12});
  EXPECT_EQ(chunks.drop(first), std::vector<Xid>{Xid{12}});
  EXPECT_EQ(chunks.unread(), (std::vector<KeyRange>{{"", "m"}}));
  EXPECT_FALSE(chunks.finish(first, Lsn{50}));
}

}  // namespace
}  // namespace freshet
