#include "pg/message_stream.h"

#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace freshet::pg {
namespace {

std::string message(char type, std::string_view body) {
  std::string bytes(1, type);
  const auto length = static_cast<std::uint32_t>(body.size() + 4);
  for (int shift = 24; shift >= 0; shift -= 8)
    bytes += static_cast<char>(length >> shift & 0xFF);
  return bytes.append(body);
}

/// The server's end is the test's.
class MessageStreamTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets_), 0); }

  void TearDown() override {
    close(sockets_[0]);
    if (sockets_[1] >= 0) close(sockets_[1]);
  }

  void serve(std::string_view bytes) {
    ASSERT_EQ(::write(sockets_[1], bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }

  void hang_up() { close(std::exchange(sockets_[1], -1)); }

  MessageStream open() { return MessageStream{Wire{sockets_[0], nullptr}}; }

  static std::string text(const Result<std::optional<ServerMessage>>& next) {
    if (!next.ok()) return next.error().describe();
    if (!*next) return "nothing";
    return (*next)->type + std::string{(*next)->body};
  }

  int sockets_[2] = {-1, -1};
};

TEST_F(MessageStreamTest, GivesEachMessageOnceAllOfItIsThere) {
  MessageStream stream = open();
  EXPECT_EQ(text(stream.next()), "nothing");
  const std::string two = message('d', "first") + message('d', "");
  for (std::size_t i = 0; i < two.size(); ++i) {
    EXPECT_EQ(text(stream.next()), "nothing");
    serve({&two[i], 1});
    ASSERT_EQ(*stream.fill(), 1U);
    EXPECT_TRUE(stream.is_drained());
    if (i == 9) {
      EXPECT_EQ(text(stream.next()), "dfirst");
    }
  }
  EXPECT_EQ(text(stream.next()), "d");
  EXPECT_EQ(text(stream.next()), "nothing");
  EXPECT_EQ(*stream.fill(), 0U);
}

TEST_F(MessageStreamTest, TakesMessagesLargerThanItsBufferAndSmallOnesAfterThem) {
  const std::string body(3 * kReadBufferBytes + 7, 'x');
  const std::string bytes = message('d', "before") + message('d', body) + message('d', "after");
  MessageStream stream = open();
  std::vector<std::string> seen;
  std::size_t at = 0;
  while (seen.size() < 3) {
    const std::string_view piece = std::string_view{bytes}.substr(at, 60'000);
    serve(piece);
    at += piece.size();
    ASSERT_TRUE(stream.fill().ok());
    for (auto next = stream.next(); next.ok() && *next; next = stream.next())
      seen.emplace_back((*next)->body);
    ASSERT_FALSE(at >= bytes.size() && seen.size() < 3 && stream.is_drained());
  }
  EXPECT_EQ(seen[0], "before");
  EXPECT_TRUE(seen[1] == body);
  EXPECT_EQ(seen[2], "after");
}

TEST_F(MessageStreamTest, RefusesLengthsThatNoServerSends) {
  for (const std::string_view header :
       {std::string_view{"d\0\0\0\3", 5}, std::string_view{"d\x40\0\0\1", 5},
        std::string_view{"d\xff\xff\xff\xff", 5}}) {
    MessageStream stream = open();
    serve(header);
    ASSERT_TRUE(stream.fill().ok());
    const auto next = stream.next();
    ASSERT_FALSE(next.ok());
    EXPECT_EQ(next.error().kind(), ErrorKind::protocol);
  }
}

TEST_F(MessageStreamTest, TheEndOfTheConnectionComesAfterWhatWasSent) {
  const std::string row(10'000, 'r');
  MessageStream stream = open();
  serve(message('d', row) + message('E', "last word"));
  hang_up();
  ASSERT_TRUE(stream.fill().ok());
  EXPECT_EQ(text(stream.next()), "d" + row);
  EXPECT_EQ(text(stream.next()), "Elast word");
  const auto more = stream.fill();
  ASSERT_FALSE(more.ok());
  EXPECT_EQ(more.error().kind(), ErrorKind::connection);
}

TEST_F(MessageStreamTest, KeepsWhatTheSocketDoesNotTake) {
  MessageStream stream = open();
  const std::string body(2 << 20, 'q');
  ASSERT_TRUE(stream.send('d', body).ok());
  EXPECT_FALSE(*stream.flush());
  std::string taken;
  char buffer[65536];
  while (taken.size() < body.size() + 5) {
    const ssize_t count = ::read(sockets_[1], buffer, sizeof buffer);
    ASSERT_GT(count, 0);
    taken.append(buffer, static_cast<std::size_t>(count));
    ASSERT_TRUE(stream.flush().ok());
  }
  EXPECT_TRUE(*stream.flush());
  EXPECT_TRUE(taken == message('d', body));
}

}  // namespace
}  // namespace freshet::pg
