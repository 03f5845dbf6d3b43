// The merges of a byte pair encoding as a hash table: pair of ids to rank and merged id.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace freshet {

/// Open addressing, at most half full, read-only once filled.
class MergeTable {
 public:
  struct Merge {
    std::uint64_t pair = kNoPair;
    std::uint32_t rank = 0;
    std::uint32_t merged_id = 0;
  };

  /// Makes room for `count` pairs; drops what was there.
  void reserve(std::size_t count) {
    slots_.assign(std::bit_ceil(count * 2 + 2), Merge{});
    shift_ = static_cast<unsigned>(64 - std::countr_zero(slots_.size()));
  }

  /// Adds a pair; one that is there already takes the new rank, as in the `tokenizers` package.
  void set(std::uint32_t left, std::uint32_t right, std::uint32_t rank, std::uint32_t merged_id) {
    const std::uint64_t pair = pair_of(left, right);
    std::size_t at = slot_of(pair);
    while (slots_[at].pair != kNoPair && slots_[at].pair != pair)
      at = (at + 1) & mask();
    slots_[at] = Merge{.pair = pair, .rank = rank, .merged_id = merged_id};
  }

  /// The merge of two neighbours; null if there is none.
  const Merge* find(std::uint32_t left, std::uint32_t right) const noexcept {
    const std::uint64_t pair = pair_of(left, right);
    for (std::size_t at = slot_of(pair);; at = (at + 1) & mask()) {
      if (slots_[at].pair == pair) return &slots_[at];
      if (slots_[at].pair == kNoPair) return nullptr;
    }
  }

 private:
  // No pair of ids is equal to it: ids are below 2^31.
  static constexpr std::uint64_t kNoPair = ~std::uint64_t{0};

  static std::uint64_t pair_of(std::uint32_t left, std::uint32_t right) noexcept {
    return (std::uint64_t{left} << 32) | right;
  }

  // Fibonacci hashing; the high bits are the well-mixed ones.
  std::size_t slot_of(std::uint64_t pair) const noexcept {
    return static_cast<std::size_t>(((pair ^ (pair >> 29)) * 0x9E3779B97F4A7C15ULL) >> shift_);
  }

  std::size_t mask() const noexcept { return slots_.size() - 1; }

  std::vector<Merge> slots_ = std::vector<Merge>(2);
  unsigned shift_ = 63;
};

}  // namespace freshet
