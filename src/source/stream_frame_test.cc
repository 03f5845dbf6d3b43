#include "source/stream_frame.h"

#include <gtest/gtest.h>

namespace freshet::source {
namespace {

std::string integer(char last) {
  return std::string{"\1\0\0\0\0\0\0", 7} + last;
}

constexpr std::uint64_t kHigh = std::uint64_t{1} << 56;

TEST(StreamFrame, WalDataIsRead) {
  const auto event = parse_frame("w" + integer('\2') + integer('\3') + integer('\4') + "payload");
  ASSERT_TRUE(event.ok());
  const auto* const data = std::get_if<WalData>(&*event);
  ASSERT_NE(data, nullptr);
  EXPECT_EQ(data->start, Lsn{kHigh + 2});
  EXPECT_EQ(data->wal_end, Lsn{kHigh + 3});
  EXPECT_EQ(to_integer(data->sent_at), static_cast<std::int64_t>(kHigh + 4));
  EXPECT_EQ(data->bytes, "payload");
}

TEST(StreamFrame, KeepaliveIsRead) {
  const auto event = parse_frame("k" + integer('\2') + integer('\3') + '\1');
  ASSERT_TRUE(event.ok());
  const auto* const keepalive = std::get_if<Keepalive>(&*event);
  ASSERT_NE(keepalive, nullptr);
  EXPECT_EQ(keepalive->wal_end, Lsn{kHigh + 2});
  EXPECT_TRUE(keepalive->wants_reply);
}

TEST(StreamFrame, WhatIsNoFrameIsRefused) {
  const std::string wal_data = "w" + integer(0) + integer(0) + integer(0);
  EXPECT_TRUE(parse_frame(wal_data).ok());
  const std::string keepalive = "k" + integer(0) + integer(0) + '\0';
  for (const std::string& frame :
       {std::string{}, std::string{"w"}, wal_data.substr(0, 24), keepalive.substr(0, 17),
        keepalive + '\0', "r" + wal_data.substr(1)}) {
    const auto event = parse_frame(frame);
    ASSERT_FALSE(event.ok()) << frame.size();
    EXPECT_EQ(event.error().kind(), ErrorKind::protocol);
  }
}

TEST(StreamFrame, StatusIsWritten) {
  const std::string frame = status_frame({.written = Lsn{kHigh + 1},
                                          .flushed = Lsn{kHigh + 2},
                                          .applied = Lsn{kHigh + 3},
                                          .wants_reply = true},
                                         SourceTime{static_cast<std::int64_t>(kHigh + 4)});
  EXPECT_EQ(frame, "r" + integer('\1') + integer('\2') + integer('\3') + integer('\4') + '\1');
}

}  // namespace
}  // namespace freshet::source
