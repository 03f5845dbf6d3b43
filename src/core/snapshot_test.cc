#include "core/snapshot.h"

#include <gtest/gtest.h>

namespace freshet {
namespace {

Snapshot snapshot_of(std::string_view text) {
  auto parsed = Snapshot::parse(text);
  EXPECT_TRUE(parsed.ok()) << text;
  return std::move(parsed).value();
}

TEST(Snapshot, SeesWhatEndedBeforeIt) {
  const Snapshot snapshot = snapshot_of("725:731:725,728");
  EXPECT_TRUE(snapshot.is_visible(Xid{724}));
  EXPECT_FALSE(snapshot.is_visible(Xid{725}));
  EXPECT_TRUE(snapshot.is_visible(Xid{726}));
  EXPECT_FALSE(snapshot.is_visible(Xid{728}));
  EXPECT_TRUE(snapshot.is_visible(Xid{730}));
  EXPECT_FALSE(snapshot.is_visible(Xid{731}));
  EXPECT_EQ(snapshot.to_string(), "725:731:725,728");
}

TEST(Snapshot, WidensAcrossTheWrapAround) {
  // xmax lies 10 past the wrap-around into epoch 3.
  const std::uint64_t epoch = std::uint64_t{3} << 32;
  const Snapshot snapshot =
      snapshot_of(std::to_string(epoch - 5) + ":" + std::to_string(epoch + 10) + ":");
  EXPECT_EQ(snapshot.widen(Xid{0xFFFF'FFFA}), FullXid{epoch - 6});
  EXPECT_TRUE(snapshot.is_visible(Xid{0xFFFF'FFFA}));
  EXPECT_TRUE(snapshot.is_visible(Xid{5}));
  EXPECT_FALSE(snapshot.is_visible(Xid{10}));
  EXPECT_FALSE(snapshot.is_visible(Xid{1000}));
}

TEST(Snapshot, NothingLiesBeforeTheFirstEpoch) {
  const Snapshot snapshot = snapshot_of("740:740:");
  EXPECT_EQ(snapshot.widen(Xid{0xFFFF'FF00}), FullXid{0xFFFF'FF00});
  EXPECT_FALSE(snapshot.is_visible(Xid{0xFFFF'FF00}));
}

TEST(Snapshot, ASlotsSnapshotMayEndBeforeItsBeginning) {
  const Snapshot snapshot = snapshot_of("795:793:");
  EXPECT_TRUE(snapshot.is_visible(Xid{792}));
  EXPECT_TRUE(snapshot.is_visible(Xid{794}));
  EXPECT_FALSE(snapshot.is_visible(Xid{795}));
  EXPECT_EQ(snapshot.to_string(), "795:793:");
}

TEST(Snapshot, WidensWhateverNumberTheServerSends) {
  const std::uint64_t middle = std::uint64_t{1} << 63;
  const Snapshot snapshot =
      snapshot_of(std::to_string(middle - 5) + ":" + std::to_string(middle - 1) + ":");
  EXPECT_EQ(snapshot.widen(Xid{10}), FullXid{middle + 10});
  EXPECT_EQ(snapshot.widen(Xid{0xFFFF'FFF0}), FullXid{middle - 16});
}

TEST(Snapshot, RefusesMalformedText) {
  for (const std::string_view text : {"", "1", "1:2", "a:2:", "1:b:", "5:4:4", "1:4:9", "1:4:0",
                                      "1:4:x", "1:4:2:3", "-1:4:", " 1:4:"}) {
    EXPECT_FALSE(Snapshot::parse(text).ok()) << text;
  }
}

}  // namespace
}  // namespace freshet
