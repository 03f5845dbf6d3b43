// Remembers the vectors of texts, so that a text which did not change is not embedded again.
//
// Worth it in front of an embedder that costs a request or much computing. The static model is
// about as fast as a look-up here: do not put a cache in front of it.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "freshet/embedder.h"

namespace freshet {

/// Counts since the start; readable from any thread.
struct EmbedderStats {
  std::uint64_t texts = 0;       ///< Asked for.
  std::uint64_t cache_hits = 0;  ///< Answered from the cache.
  std::uint64_t duplicates = 0;  ///< Equal to another text of the same call.
  std::uint64_t embedded = 0;    ///< Computed by the embedder behind.
  std::uint64_t evicted = 0;
};

/// Keyed by a 128-bit hash of the text under a key drawn at random per cache, so that nobody can
/// prepare texts that collide. One cache serves one embedder, hence one model. When full, what was
/// not used lately goes (clock). Calls may come from several threads; no lock is held while
/// embedding.
class CachingEmbedder final : public Embedder {
 public:
  struct Options {
    std::size_t bytes_max = std::size_t{64} << 20;  ///< Vectors and what it takes to find them.
  };

  /// `inner` must outlive the cache.
  CachingEmbedder(Embedder& inner, Options options);

  Result<std::size_t> dimensions() override { return inner_.dimensions(); }

  Status embed(std::span<const std::string_view> texts, std::span<float> vectors) override;
  EmbedderStats stats() const noexcept;

 private:
  struct Key {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    friend bool operator==(const Key&, const Key&) = default;
  };

  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept { return key.low; }
  };

  struct Entry {
    Key key;
    std::vector<float> vector;
    bool was_used = false;
  };

  /// Texts that the cache does not have, each once, and where they stand in the call.
  struct Misses {
    std::vector<std::string_view> texts;
    std::vector<Key> keys;
    /// For each text of the call: its place in `texts`, or kHit.
    std::vector<std::size_t> place;
  };

  static constexpr std::size_t kHit = ~std::size_t{0};

  Key key_of(std::string_view text) const noexcept;
  Misses look_up(std::span<const std::string_view> texts, std::span<float> vectors);
  Status embed_misses(const Misses& misses, std::span<float> vectors, std::size_t width);
  static Error in_terms_of_the_call(Error error, const Misses& misses);
  void store(const Misses& misses, std::span<const float> vectors, std::size_t width);
  Entry& slot_for_new(std::size_t entries_max);

  Embedder& inner_;
  const Options options_;
  const std::array<std::uint64_t, 4> hash_key_;
  std::mutex mutex_;  ///< Guards the three members below.
  std::unordered_map<Key, std::size_t, KeyHash> places_;
  std::vector<Entry> entries_;
  std::size_t hand_ = 0;
  std::atomic<std::uint64_t> texts_{0};
  std::atomic<std::uint64_t> cache_hits_{0};
  std::atomic<std::uint64_t> duplicates_{0};
  std::atomic<std::uint64_t> embedded_{0};
  std::atomic<std::uint64_t> evicted_{0};
};

}  // namespace freshet
