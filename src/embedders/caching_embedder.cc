#include "embedders/caching_embedder.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <random>
#include <string>
#include <utility>

#include "base/try.h"

namespace freshet {
namespace {

// What an entry takes besides its floats: itself, its node in the map, allocation overhead.
constexpr std::size_t kEntryOverheadBytes = 144;

std::array<std::uint64_t, 4> random_key() {
  std::random_device device;
  const auto word = [&] { return (std::uint64_t{device()} << 32) | device(); };
  return {word() | 1, word() | 1, word(), word()};
}

// Multiplies to 128 bits and folds the halves (as wyhash does).
std::uint64_t fold(std::uint64_t a, std::uint64_t b) noexcept {
  __extension__ using Wide = unsigned __int128;
  const Wide product = Wide{a} * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

// The embedder behind counts among the misses; callers count among their own texts.
Error with_text_index(const Error& error, std::size_t index) {
  Error renumbered{error.kind(), error.message()};
  for (const auto& [key, value] : error.context()) {
    renumbered.add(key, key == "text_index" ? std::to_string(index) : value);
  }
  return std::move(renumbered).fix(error.fix());
}

constexpr std::uint64_t kOdd1 = 0xA0761D6478BD642FULL;
constexpr std::uint64_t kOdd2 = 0xE7037ED1A0B428DBULL;

std::uint64_t hash_text(std::string_view text, std::uint64_t key1, std::uint64_t key2) noexcept {
  std::uint64_t hash = key1 ^ fold(text.size() ^ kOdd1, key2 ^ kOdd2);
  while (!text.empty()) {
    const std::size_t size = std::min<std::size_t>(text.size(), 16);
    std::array<std::uint64_t, 2> words{};
    std::memcpy(words.data(), text.data(), size);
    hash = fold(words[0] ^ key2 ^ kOdd1, words[1] ^ hash ^ kOdd2) ^ (hash << 1 | hash >> 63);
    text.remove_prefix(size);
  }
  return fold(hash ^ kOdd1, key1 ^ kOdd2);
}

}  // namespace

CachingEmbedder::CachingEmbedder(Embedder& inner, Options options)
    : inner_(inner), options_(options), hash_key_(random_key()) {}

CachingEmbedder::Key CachingEmbedder::key_of(std::string_view text) const noexcept {
  return {.high = hash_text(text, hash_key_[0], hash_key_[2]),
          .low = hash_text(text, hash_key_[1], hash_key_[3])};
}

Status CachingEmbedder::embed(std::span<const std::string_view> texts, std::span<float> vectors) {
  if (texts.empty()) return ok_status();
  FRESHET_TRY(const std::size_t width, inner_.dimensions());
  FRESHET_CHECK(vectors.size() == texts.size() * width);
  const Misses misses = look_up(texts, vectors);
  if (misses.texts.empty()) return ok_status();
  return embed_misses(misses, vectors, width);
}

CachingEmbedder::Misses CachingEmbedder::look_up(std::span<const std::string_view> texts,
                                                 std::span<float> vectors) {
  const std::size_t width = vectors.size() / texts.size();
  std::vector<Key> keys(texts.size());
  std::transform(texts.begin(), texts.end(), keys.begin(), [&](auto text) { return key_of(text); });
  Misses misses;
  misses.place.assign(texts.size(), kHit);
  std::unordered_map<Key, std::size_t, KeyHash> first_of;
  std::uint64_t hits = 0;
  const std::lock_guard lock{mutex_};
  for (std::size_t at = 0; at < texts.size(); ++at) {
    const auto found = places_.find(keys[at]);
    if (found != places_.end()) {
      Entry& entry = entries_[found->second];
      entry.was_used = true;
      std::copy(entry.vector.begin(), entry.vector.end(), &vectors[at * width]);
      ++hits;
      continue;
    }
    const auto [first, is_new] = first_of.emplace(keys[at], misses.texts.size());
    misses.place[at] = first->second;
    if (!is_new) continue;
    misses.texts.push_back(texts[at]);
    misses.keys.push_back(keys[at]);
  }
  texts_ += texts.size();
  cache_hits_ += hits;
  duplicates_ += texts.size() - hits - misses.texts.size();
  return misses;
}

Status CachingEmbedder::embed_misses(const Misses& misses,
                                     std::span<float> vectors,
                                     std::size_t width) {
  if (misses.texts.size() == misses.place.size()) {
    FRESHET_TRY(inner_.embed(misses.texts, vectors));
    store(misses, vectors, width);
    return ok_status();
  }
  std::vector<float> fresh(misses.texts.size() * width);
  Status status = inner_.embed(misses.texts, fresh);
  if (!status.ok()) return in_terms_of_the_call(std::move(status).error(), misses);
  store(misses, fresh, width);
  for (std::size_t at = 0; at < misses.place.size(); ++at) {
    if (misses.place[at] == kHit) continue;
    std::copy_n(&fresh[misses.place[at] * width], width, &vectors[at * width]);
  }
  return ok_status();
}

Error CachingEmbedder::in_terms_of_the_call(Error error, const Misses& misses) {
  const std::string_view digits = error.find("text_index");
  std::size_t index = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), index);
  if (digits.empty() || parsed.ec != std::errc{}) return error;
  const auto found = std::find(misses.place.begin(), misses.place.end(), index);
  if (found == misses.place.end()) return error;
  return with_text_index(error, static_cast<std::size_t>(found - misses.place.begin()));
}

void CachingEmbedder::store(const Misses& misses,
                            std::span<const float> vectors,
                            std::size_t width) {
  embedded_ += misses.texts.size();
  const std::size_t entries_max =
      options_.bytes_max / (width * sizeof(float) + kEntryOverheadBytes);
  if (entries_max == 0) return;
  const std::lock_guard lock{mutex_};
  for (std::size_t at = 0; at < misses.keys.size(); ++at) {
    // Another thread may have stored the same text meanwhile.
    if (places_.contains(misses.keys[at])) continue;
    Entry& entry = slot_for_new(entries_max);
    const auto vector = vectors.subspan(at * width, width);
    entry.key = misses.keys[at];
    entry.vector.assign(vector.begin(), vector.end());
    entry.was_used = false;
    places_.emplace(entry.key, static_cast<std::size_t>(&entry - entries_.data()));
  }
}

// The clock's hand passes over entries that were used since its last round, once.
CachingEmbedder::Entry& CachingEmbedder::slot_for_new(std::size_t entries_max) {
  if (entries_.size() < entries_max) return entries_.emplace_back();
  for (;; hand_ = (hand_ + 1) % entries_.size()) {
    Entry& entry = entries_[hand_];
    if (entry.was_used) {
      entry.was_used = false;
      continue;
    }
    places_.erase(entry.key);
    hand_ = (hand_ + 1) % entries_.size();
    ++evicted_;
    return entry;
  }
}

EmbedderStats CachingEmbedder::stats() const noexcept {
  return {.texts = texts_.load(std::memory_order_relaxed),
          .cache_hits = cache_hits_.load(std::memory_order_relaxed),
          .duplicates = duplicates_.load(std::memory_order_relaxed),
          .embedded = embedded_.load(std::memory_order_relaxed),
          .evicted = evicted_.load(std::memory_order_relaxed)};
}

}  // namespace freshet
