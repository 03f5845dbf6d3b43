#include "transforms/mask/keyed_hash.h"

#include <span>
#include <string>
#include <utility>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "base/try.h"

namespace freshet {
namespace {

constexpr std::size_t kHashBytes = 32;

struct MacDeleter {
  void operator()(EVP_MAC* mac) const noexcept { EVP_MAC_free(mac); }
};

Error failed(std::string_view what) {
  return Error{ErrorKind::internal, "OpenSSL failed"}.with("operation", what);
}

void write_hex(std::span<const unsigned char> bytes, char* out) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (const unsigned char byte : bytes) {
    *out++ = kDigits[byte >> 4];
    *out++ = kDigits[byte & 15];
  }
}

const unsigned char* unsigned_bytes(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

}  // namespace

void KeyedHash::ContextDeleter::operator()(evp_mac_ctx_st* context) const noexcept {
  EVP_MAC_CTX_free(context);
}

Result<KeyedHash> KeyedHash::make(const Secret& key) {
  const std::unique_ptr<EVP_MAC, MacDeleter> mac{EVP_MAC_fetch(nullptr, "HMAC", nullptr)};
  if (mac == nullptr) return failed("EVP_MAC_fetch");
  Context context{EVP_MAC_CTX_new(mac.get())};
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string("digest", digest, 0),
                                   OSSL_PARAM_construct_end()};
  if (context == nullptr || EVP_MAC_init(context.get(), unsigned_bytes(key.reveal()),
                                         key.reveal().size(), parameters) != 1) {
    return failed("EVP_MAC_init");
  }
  return KeyedHash{std::move(context)};
}

Result<KeyedHash> KeyedHash::copy() const {
  Context context{EVP_MAC_CTX_dup(context_.get())};
  if (context == nullptr) return failed("EVP_MAC_CTX_dup");
  return KeyedHash{std::move(context)};
}

Result<KeyedHash::Hex> KeyedHash::hash(std::string_view bytes) {
  std::array<unsigned char, kHashBytes> raw{};
  std::size_t size = 0;
  // Without a key the context starts again with the one it has.
  if (EVP_MAC_init(context_.get(), nullptr, 0, nullptr) != 1 ||
      EVP_MAC_update(context_.get(), unsigned_bytes(bytes), bytes.size()) != 1 ||
      EVP_MAC_final(context_.get(), raw.data(), &size, raw.size()) != 1 || size != raw.size()) {
    return failed("HMAC");
  }
  Hex hex{};
  write_hex(raw, hex.data());
  return hex;
}

Result<Secret> generate_mask_key() {
  std::array<unsigned char, kHashBytes> raw{};
  if (RAND_bytes(raw.data(), static_cast<int>(raw.size())) != 1) return failed("RAND_bytes");
  std::string hex(raw.size() * 2, '0');
  write_hex(raw, hex.data());
  OPENSSL_cleanse(raw.data(), raw.size());
  return Secret{std::move(hex)};
}

}  // namespace freshet
