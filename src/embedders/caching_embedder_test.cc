#include "embedders/caching_embedder.h"

#include <string>
#include <thread>

#include <gtest/gtest.h>

namespace freshet {
namespace {

// Two floats: the text's length, and a number that grows with each text embedded.
class CountingEmbedder final : public Embedder {
 public:
  Result<std::size_t> dimensions() override { return std::size_t{2}; }

  Status embed(std::span<const std::string_view> texts, std::span<float> vectors) override {
    if (fails) return Error{ErrorKind::busy, "not now"};
    for (std::size_t at = 0; at < texts.size(); ++at) {
      if (texts[at] == "bad") return Error{ErrorKind::data, "refused"}.with("text_index", at);
    }
    const std::lock_guard lock{mutex};
    for (std::size_t at = 0; at < texts.size(); ++at) {
      vectors[at * 2] = static_cast<float>(texts[at].size());
      vectors[at * 2 + 1] = static_cast<float>(++count);
    }
    return ok_status();
  }

  std::mutex mutex;
  int count = 0;
  bool fails = false;
};

std::vector<float> embed(Embedder& embedder, const std::vector<std::string>& texts) {
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  std::vector<float> vectors(texts.size() * 2);
  EXPECT_TRUE(embedder.embed(views, vectors).ok());
  return vectors;
}

TEST(CachingEmbedder, AnswersKnownTextsWithoutEmbedding) {
  CountingEmbedder inner;
  CachingEmbedder cache{inner, {}};
  const auto first = embed(cache, {"a", "bb"});
  EXPECT_EQ(embed(cache, {"a", "bb"}), first);
  EXPECT_EQ(inner.count, 2);
  EXPECT_EQ(cache.stats().cache_hits, 2U);
}

TEST(CachingEmbedder, EmbedsEqualTextsOfOneCallOnce) {
  CountingEmbedder inner;
  CachingEmbedder cache{inner, {}};
  const auto vectors = embed(cache, {"x", "yy", "x", "x"});
  EXPECT_EQ(inner.count, 2);
  EXPECT_EQ(vectors[1], vectors[5]);
  EXPECT_EQ(vectors[1], vectors[7]);
  EXPECT_EQ(cache.stats().duplicates, 2U);
  EXPECT_EQ(cache.stats().embedded, 2U);
}

TEST(CachingEmbedder, MixesKnownAndNewTextsInOrder) {
  CountingEmbedder inner;
  CachingEmbedder cache{inner, {}};
  embed(cache, {"a"});
  EXPECT_EQ(embed(cache, {"bbb", "a", "cc", "bbb"}), (std::vector<float>{3, 2, 1, 1, 2, 3, 3, 2}));
}

TEST(CachingEmbedder, TellsTextsApartThatDifferByTheirEndOnly) {
  CountingEmbedder inner;
  CachingEmbedder cache{inner, {}};
  for (std::size_t size = 1; size < 100; ++size) {
    embed(cache, {std::string(size, 'a'), std::string(size, '\0')});
  }
  EXPECT_EQ(inner.count, 198);
}

TEST(CachingEmbedder, KeepsWhatIsUsedWhenFull) {
  CountingEmbedder inner;
  CachingEmbedder cache{inner, {.bytes_max = 160 * 10}};
  embed(cache, {"kept"});
  for (int i = 0; i < 100; ++i)
    embed(cache, {"kept", "other " + std::to_string(i)});
  EXPECT_EQ(cache.stats().embedded, 101U);
  EXPECT_GE(cache.stats().evicted, 90U);
}

TEST(CachingEmbedder, StoresNothingWhenTooSmallForOneVector) {
  CountingEmbedder inner;
  CachingEmbedder cache{inner, {.bytes_max = 10}};
  embed(cache, {"a"});
  embed(cache, {"a"});
  EXPECT_EQ(inner.count, 2);
}

TEST(CachingEmbedder, PassesErrorsOnAndStoresNothing) {
  CountingEmbedder inner;
  CachingEmbedder cache{inner, {}};
  inner.fails = true;
  const std::vector<std::string_view> texts{"a"};
  std::vector<float> vectors(2);
  const Status status = cache.embed(texts, vectors);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind(), ErrorKind::busy);
  inner.fails = false;
  embed(cache, {"a"});
  EXPECT_EQ(inner.count, 1);
}

TEST(CachingEmbedder, CountsTheTextToBlameAmongTheCallersTexts) {
  CountingEmbedder inner;
  CachingEmbedder cache{inner, {}};
  embed(cache, {"a", "b"});
  const std::vector<std::string_view> texts{"a", "c", "b", "c", "bad"};
  std::vector<float> vectors(10);
  const Status status = cache.embed(texts, vectors);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().find("text_index"), "4");
}

TEST(CachingEmbedder, ServesManyThreads) {
  CountingEmbedder inner;
  CachingEmbedder cache{inner, {.bytes_max = 160 * 50}};
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&] {
        for (std::size_t i = 0; i < 2000; ++i) {
          const auto vectors = embed(cache, {std::string(i % 90 + 1, 'x')});
          EXPECT_EQ(vectors[0], static_cast<float>(i % 90 + 1));
        }
      });
    }
  }
  EXPECT_EQ(cache.stats().texts, 8000U);
  const EmbedderStats stats = cache.stats();
  EXPECT_EQ(stats.texts, stats.cache_hits + stats.duplicates + stats.embedded);
}

}  // namespace
}  // namespace freshet
