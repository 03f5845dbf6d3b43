// A bump allocator that owns the bytes and rows of one batch.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace freshet {

/// Hands out memory that lives until clear() or destruction. One thread. clear() keeps one block,
/// so that a reused arena stops allocating.
class Arena {
 public:
  explicit Arena(std::size_t block_bytes = std::size_t{256} << 10) : block_bytes_(block_bytes) {}

  Arena(Arena&&) noexcept = default;
  Arena& operator=(Arena&&) noexcept = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() = default;

  /// `bytes` bytes aligned to `alignment` (a power of two up to alignof(std::max_align_t)).
  char* allocate(std::size_t bytes, std::size_t alignment = 1) {
    const std::size_t start = (used_ + alignment - 1) & ~(alignment - 1);
    if (blocks_.empty() || start + bytes > blocks_.back().size) return allocate_block(bytes);
    used_ = start + bytes;
    return blocks_.back().data.get() + start;
  }

  /// An array of trivial values, uninitialised.
  template <typename T>
  std::span<T> array(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T>);
    if (count == 0) return {};
    char* memory = allocate(count * sizeof(T), alignof(T));
    T* first = reinterpret_cast<T*>(memory);
    for (std::size_t i = 0; i < count; ++i)
      new (first + i) T;
    return {first, count};
  }

  std::string_view copy(std::string_view bytes) {
    if (bytes.empty()) return {"", 0};
    char* memory = allocate(bytes.size());
    std::memcpy(memory, bytes.data(), bytes.size());
    return {memory, bytes.size()};
  }

  /// Forgets everything handed out.
  void clear() {
    if (blocks_.size() > 1) {
      blocks_.clear();
    } else if (!blocks_.empty() && blocks_.back().size > block_bytes_) {
      blocks_.clear();
    }
    used_ = 0;
    total_ = blocks_.empty() ? 0 : blocks_.back().size;
  }

  std::size_t byte_size() const noexcept { return total_; }

 private:
  struct Block {
    std::unique_ptr<char[]> data;
    std::size_t size;
  };

  char* allocate_block(std::size_t bytes) {
    const std::size_t size = bytes > block_bytes_ ? bytes : block_bytes_;
    blocks_.push_back({std::unique_ptr<char[]>(new char[size]), size});
    total_ += size;
    used_ = bytes;
    return blocks_.back().data.get();
  }

  std::size_t block_bytes_;
  std::vector<Block> blocks_;
  std::size_t used_ = 0;
  std::size_t total_ = 0;
};

}  // namespace freshet
