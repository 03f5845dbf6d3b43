// HMAC-SHA-256 with one key, by OpenSSL.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string_view>

#include "base/secret.h"
#include "freshet/result.h"

struct evp_mac_ctx_st;

namespace freshet {

/// Hashes values one after the other; one thread at a time, copy it for another.
class KeyedHash {
 public:
  static constexpr std::size_t kHexBytes = 64;
  using Hex = std::array<char, kHexBytes>;

  static Result<KeyedHash> make(const Secret& key);
  Result<KeyedHash> copy() const;
  /// The hash of `bytes` in lower-case hexadecimal digits.
  Result<Hex> hash(std::string_view bytes);

 private:
  struct ContextDeleter {
    void operator()(evp_mac_ctx_st* context) const noexcept;
  };

  using Context = std::unique_ptr<evp_mac_ctx_st, ContextDeleter>;

  explicit KeyedHash(Context context) : context_(std::move(context)) {}

  Context context_;
};

/// 32 random bytes in hexadecimal, for a pipeline that was given no key. Errors are of kind
/// `internal`.
Result<Secret> generate_mask_key();

}  // namespace freshet
