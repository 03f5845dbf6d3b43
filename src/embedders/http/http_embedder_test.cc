// The cases of HttpEmbedder need no server. Those of RealServer and FaultServer are run by
// tests/test_embedders.py, which starts the servers that FRESHET_EMBEDDER_URL and FRESHET_FAULT_URL
// name; the fault server misbehaves as the path says.
#include "embedders/http/http_embedder.h"

#include <cmath>
#include <cstdlib>
#include <thread>

#include <gtest/gtest.h>

namespace freshet {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr std::string_view kKey = "sk-never-print-this";

HttpEmbedderOptions options_for(const std::string& url) {
  HttpEmbedderOptions options;
  options.endpoint.url = url;
  options.endpoint.api_key = Secret{std::string{kKey}};
  options.model = "test-model";
  options.backoff_first = milliseconds{20};
  return options;
}

std::unique_ptr<HttpEmbedder> open(HttpEmbedderOptions options) {
  auto embedder = HttpEmbedder::open(std::move(options));
  EXPECT_TRUE(embedder.ok());
  return std::move(embedder).value();
}

std::vector<std::string> numbered_texts(std::size_t count) {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < count; ++i)
    texts.push_back("text " + std::to_string(i));
  return texts;
}

Result<std::vector<float>> embed(Embedder& embedder, const std::vector<std::string>& texts) {
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  auto width = embedder.dimensions();
  if (!width.ok()) return std::move(width).error();
  std::vector<float> vectors(texts.size() * *width);
  Status status = embedder.embed(views, vectors);
  if (!status.ok()) return std::move(status).error();
  return vectors;
}

Error error_of(Embedder& embedder, const std::vector<std::string>& texts) {
  auto result = embed(embedder, texts);
  EXPECT_FALSE(result.ok());
  return result.ok() ? Error{ErrorKind::internal, "no error"} : std::move(result).error();
}

TEST(HttpEmbedder, RefusesUnusableOptions) {
  for (const char* url : {"", "ftp://host/v1", "not a url", "file:///etc/passwd",
                          "http://user:password@localhost/v1", "http://example.org/v1",
                          "http://127.0.0.1.example.org/v1", "http://localhost.example.org/v1"}) {
    const auto embedder = HttpEmbedder::open(options_for(url));
    ASSERT_FALSE(embedder.ok()) << url;
    EXPECT_EQ(embedder.error().kind(), ErrorKind::config) << url;
    EXPECT_EQ(embedder.error().describe().find(kKey), std::string::npos);
    EXPECT_EQ(embedder.error().describe().find("password@"), std::string::npos);
  }
  auto options = options_for("https://example.org/v1");
  options.endpoint.api_key = Secret{"line\r\nend"};
  EXPECT_FALSE(HttpEmbedder::open(options).ok());
}

TEST(HttpEmbedder, AllowsAKeyOverTlsAndToThisMachine) {
  for (const char* url : {"https://example.org/v1", "http://localhost:1/v1", "http://127.0.0.1/v1",
                          "http://127.8.9.10:1/v1", "http://[::1]:1/v1"}) {
    EXPECT_TRUE(HttpEmbedder::open(options_for(url)).ok()) << url;
  }
  auto options = options_for("http://inside.example.org/v1");
  options.endpoint.api_key = Secret{};
  EXPECT_TRUE(HttpEmbedder::open(options).ok());
}

TEST(HttpEmbedder, ReportsARefusedConnectionAsTransient) {
  auto options = options_for("http://127.0.0.1:1/v1/embeddings");
  options.attempts_max = 2;
  const auto embedder = open(options);
  const Error error = error_of(*embedder, {"a"});
  EXPECT_EQ(error.kind(), ErrorKind::connection);
  EXPECT_EQ(error.find("attempts"), "2");
  EXPECT_EQ(error.find("url"), "http://127.0.0.1:1/v1/embeddings");
}

class RealServer : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* url = std::getenv("FRESHET_EMBEDDER_URL");
    if (url == nullptr) GTEST_SKIP() << "FRESHET_EMBEDDER_URL is not set";
    auto options = options_for(url);
    options.batch_texts_max = 8;
    embedder_ = open(options);
  }

  std::unique_ptr<HttpEmbedder> embedder_;
};

float dot(std::span<const float> a, std::span<const float> b) {
  float sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    sum += a[i] * b[i];
  return sum;
}

TEST_F(RealServer, GivesVectorsWhoseMeaningFits) {
  const auto vectors = embed(
      *embedder_,
      {"my wifi is not working", "the internet connection is down", "I baked bread with olives"});
  ASSERT_TRUE(vectors.ok()) << vectors.error().describe();
  const std::size_t width = embedder_->dimensions().value();
  EXPECT_EQ(width, 384U);
  const std::span<const float> all{*vectors};
  const auto question = all.first(width);
  EXPECT_GT(dot(question, all.subspan(width, width)), dot(question, all.subspan(2 * width, width)));
}

TEST_F(RealServer, BatchesGiveWhatSingleTextsGive) {
  const auto texts = numbered_texts(20);
  const auto together = embed(*embedder_, texts);
  ASSERT_TRUE(together.ok()) << together.error().describe();
  const std::size_t width = embedder_->dimensions().value();
  for (std::size_t i = 0; i < texts.size(); i += 7) {
    const auto alone = embed(*embedder_, {texts[i]});
    ASSERT_TRUE(alone.ok());
    for (std::size_t at = 0; at < width; ++at) {
      EXPECT_NEAR((*alone)[at], (*together)[i * width + at], 1e-4F);
    }
  }
  EXPECT_EQ(embedder_->stats().texts, 23U);
}

class FaultServer : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* url = std::getenv("FRESHET_FAULT_URL");
    if (url == nullptr) GTEST_SKIP() << "FRESHET_FAULT_URL is not set";
    url_ = url;
  }

  HttpEmbedderOptions at(const std::string& path) const {
    auto options = options_for(url_ + path);
    options.dimensions = 4;
    options.attempts_max = 4;
    return options;
  }

  Error error_at(const std::string& path) const {
    const auto embedder = open(at(path));
    Error error = error_of(*embedder, {"a", "b"});
    EXPECT_EQ(error.describe().find(kKey), std::string::npos);
    return error;
  }

  std::string url_;
};

// The fault server's good vectors start with the number at the end of the text.
TEST_F(FaultServer, ResultsComeInOrderThoughAnswersDoNot) {
  auto options = at("/shuffled-and-slow");
  options.batch_texts_max = 3;
  const auto embedder = open(options);
  const auto vectors = embed(*embedder, numbered_texts(50));
  ASSERT_TRUE(vectors.ok()) << vectors.error().describe();
  for (std::size_t i = 0; i < 50; ++i)
    EXPECT_EQ((*vectors)[i * 4], static_cast<float>(i));
  EXPECT_EQ(embedder->stats().requests, 17U);
}

TEST_F(FaultServer, TriesAgainUntilItWorks) {
  for (const char* path : {"/first-fail/429/2", "/first-fail/500/2", "/first-fail/503/2",
                           "/first-fail/cut/2", "/first-fail/truncated/2"}) {
    const auto embedder = open(at(path));
    const auto vectors = embed(*embedder, {"text 3"});
    ASSERT_TRUE(vectors.ok()) << path << ": " << vectors.error().describe();
    EXPECT_EQ((*vectors)[0], 3.0F);
    EXPECT_EQ(embedder->stats().retries, 2U) << path;
  }
}

TEST_F(FaultServer, WaitsAsLongAsAsked) {
  for (const char* path : {"/retry-after/seconds", "/retry-after/date"}) {
    const auto start = Clock::now();
    const auto embedder = open(at(path));
    ASSERT_TRUE(embed(*embedder, {"text 3"}).ok()) << path;
    EXPECT_GE(Clock::now() - start, milliseconds{900}) << path;
  }
}

TEST_F(FaultServer, GivesUpAfterItsAttempts) {
  EXPECT_EQ(error_at("/always/429").kind(), ErrorKind::busy);
  EXPECT_EQ(error_at("/always/500").kind(), ErrorKind::busy);
  EXPECT_EQ(error_at("/always/500").find("attempts"), "4");
  EXPECT_EQ(error_at("/always/cut").kind(), ErrorKind::connection);
  EXPECT_EQ(error_at("/retry-after/hour").kind(), ErrorKind::busy);
}

TEST_F(FaultServer, TimesOut) {
  auto options = at("/hang");
  options.attempts_max = 2;
  options.endpoint.request_timeout = milliseconds{200};
  const auto embedder = open(options);
  EXPECT_EQ(error_of(*embedder, {"a"}).kind(), ErrorKind::connection);
}

TEST_F(FaultServer, DoesNotRepeatWhatNoRetryMends) {
  EXPECT_EQ(error_at("/always/401").kind(), ErrorKind::credentials);
  EXPECT_EQ(error_at("/always/403").kind(), ErrorKind::permission);
  EXPECT_EQ(error_at("/always/404").kind(), ErrorKind::config);
  EXPECT_EQ(error_at("/always/400").kind(), ErrorKind::config);
  EXPECT_EQ(error_at("/redirect").kind(), ErrorKind::config);
}

TEST_F(FaultServer, RefusesVectorsThatDoNotFit) {
  for (const char* path : {"/dimension/3", "/nan", "/infinity", "/null", "/too-few", "/too-many"}) {
    EXPECT_EQ(error_at(path).kind(), ErrorKind::data) << path;
  }
  EXPECT_EQ(error_at("/dimension/3").find("expected"), "4");
  EXPECT_EQ(error_at("/dimension/3").find("got"), "3");
  EXPECT_EQ(error_at("/html").kind(), ErrorKind::protocol);
}

TEST_F(FaultServer, NamesTheTextThatIsTooLong) {
  const auto embedder = open(at("/refuses-long"));
  auto texts = numbered_texts(20);
  texts[13] = std::string(5000, 'x');
  const Error error = error_of(*embedder, texts);
  EXPECT_EQ(error.kind(), ErrorKind::data);
  EXPECT_EQ(error.find("text_index"), "13");
}

TEST_F(FaultServer, RefusesAnAnswerPastTheLimit) {
  auto options = at("/huge");
  options.endpoint.answer_bytes_max = 1U << 20;
  const auto embedder = open(options);
  EXPECT_EQ(error_of(*embedder, {"a"}).kind(), ErrorKind::protocol);
}

TEST_F(FaultServer, AsksForTheDimensionOnce) {
  auto options = at("/dimension/6");
  options.dimensions = 0;
  const auto embedder = open(options);
  EXPECT_EQ(embedder->dimensions().value(), 6U);
  EXPECT_EQ(embedder->dimensions().value(), 6U);
  EXPECT_EQ(embedder->stats().requests, 1U);
}

TEST_F(FaultServer, CancelEndsAWaitWithinAMoment) {
  for (const char* path : {"/hang", "/retry-after/minute"}) {
    const auto embedder = open(at(path));
    Clock::time_point stopped;
    const std::jthread stopper{[&] {
      std::this_thread::sleep_for(milliseconds{300});
      stopped = Clock::now();
      embedder->cancel();
    }};
    EXPECT_EQ(error_of(*embedder, {"a"}).kind(), ErrorKind::cancelled) << path;
    EXPECT_LT(Clock::now() - stopped, milliseconds{250}) << path;
    EXPECT_EQ(error_of(*embedder, {"a"}).kind(), ErrorKind::cancelled) << path;
  }
}

TEST_F(FaultServer, ServesSeveralThreads) {
  auto options = at("/good");
  options.batch_texts_max = 5;
  const auto embedder = open(options);
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int round = 0; round < 5; ++round) {
        const auto vectors = embed(*embedder, numbered_texts(23));
        ASSERT_TRUE(vectors.ok()) << vectors.error().describe();
        EXPECT_EQ((*vectors)[22 * 4], 22.0F);
      }
    });
  }
}

}  // namespace
}  // namespace freshet
