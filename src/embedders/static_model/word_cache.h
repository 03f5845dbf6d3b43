// Remembers the token ids of short words. Bounded by its fixed number of slots; one thread at a
// time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace freshet {

/// Direct-mapped: a word replaces whichever word had its slot. Natural language repeats few words
/// often, so that nothing cleverer pays. A slot is one cache line.
class WordCache {
 public:
  static constexpr std::size_t kWordBytesMax = 30;
  static constexpr std::size_t kIdCountMax = 8;

  /// The ids of `word`; empty if it is not known. Valid until the next store().
  std::span<const std::uint32_t> find(std::string_view word) noexcept {
    if (word.size() > kWordBytesMax || slots_.empty()) return {};
    const Slot& slot = slots_[slot_of(word)];
    if (slot.size != word.size() || std::memcmp(slot.word.data(), word.data(), word.size()) != 0) {
      return {};
    }
    return {slot.ids.data(), slot.id_count};
  }

  void store(std::string_view word, std::span<const std::uint32_t> ids) {
    if (word.size() > kWordBytesMax || ids.empty() || ids.size() > kIdCountMax) return;
    if (slots_.empty()) slots_.resize(kSlotCount);
    Slot& slot = slots_[slot_of(word)];
    slot.size = static_cast<std::uint8_t>(word.size());
    slot.id_count = static_cast<std::uint8_t>(ids.size());
    std::memcpy(slot.word.data(), word.data(), word.size());
    std::memcpy(slot.ids.data(), ids.data(), ids.size_bytes());
  }

 private:
  static constexpr unsigned kSlotBits = 14;  // 16,384 slots: 1 MiB.
  static constexpr std::size_t kSlotCount = std::size_t{1} << kSlotBits;

  struct alignas(64) Slot {
    std::uint8_t size = 0;
    std::uint8_t id_count = 0;
    std::array<char, kWordBytesMax> word;
    std::array<std::uint32_t, kIdCountMax> ids;
  };

  // Reads the word as up to four overlapping 8-byte pieces: no loop over bytes.
  static std::size_t slot_of(std::string_view word) noexcept {
    std::uint64_t hash = word.size() * 0x9E3779B97F4A7C15ULL;
    std::size_t at = 0;
    for (; at + 8 <= word.size(); at += 8)
      hash = mix(hash, load(word.data() + at, 8));
    if (at < word.size()) hash = mix(hash, load(word.data() + at, word.size() - at));
    return static_cast<std::size_t>(hash >> (64 - kSlotBits));
  }

  static std::uint64_t mix(std::uint64_t hash, std::uint64_t bits) noexcept {
    hash = (hash ^ bits) * 0xD6E8FEB86659FD93ULL;
    return hash ^ (hash >> 32);
  }

  static std::uint64_t load(const char* bytes, std::size_t size) noexcept {
    std::uint64_t bits = 0;
    std::memcpy(&bits, bytes, size);
    return bits;
  }

  std::vector<Slot> slots_;
};

}  // namespace freshet
