// A string that must never be printed.
#pragma once

#include <string>
#include <string_view>

namespace freshet {

/// Holds a password or key. Prints as `***` (fmt and streams have no overload for it: to_string
/// gives the stars); the bytes are overwritten on destruction.
class Secret {
 public:
  Secret() = default;

  explicit Secret(std::string value) : value_(std::move(value)) {}

  Secret(const Secret&) = default;
  Secret(Secret&&) noexcept = default;
  Secret& operator=(const Secret&) = default;
  Secret& operator=(Secret&&) noexcept = default;

  ~Secret() {
    volatile char* bytes = value_.data();
    for (std::size_t i = 0; i < value_.size(); ++i)
      bytes[i] = 0;
  }

  bool empty() const noexcept { return value_.empty(); }

  /// The bytes themselves. Every caller is a place to review.
  const std::string& reveal() const noexcept { return value_; }

 private:
  std::string value_;
};

inline std::string to_string(const Secret& secret) {
  return secret.empty() ? "" : "***";
}

}  // namespace freshet
