// An embedder behind an OpenAI-compatible HTTP API (OpenAI, vLLM, Ollama, llama.cpp, TEI, …).
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "embedders/http/http_client.h"
#include "freshet/embedder.h"

namespace freshet {

struct HttpEmbedderOptions {
  HttpEndpoint endpoint;
  std::string model;
  /// Dimension of the vectors; 0: asked of the server once, by embedding one short text.
  std::size_t dimensions = 0;
  /// Whether `dimensions` is sent too, for models that shorten their vectors on demand.
  bool sends_dimensions = false;
  std::size_t batch_texts_max = 64;  ///< Texts in one request.
  std::size_t batch_bytes_max = 256U
                                << 10;  ///< Bytes of text in one request; one text may be longer.
  std::size_t requests_in_flight = 4;   ///< At once, for one call of embed().
  unsigned attempts_max = 6;            ///< Of one request, the first included.
  std::chrono::milliseconds backoff_first{250};
  std::chrono::milliseconds backoff_most{20'000};
  /// A server that asks for a longer pause ends the call with an error of kind `busy`.
  std::chrono::milliseconds retry_after_max{120'000};
};

/// Counts since the start; readable from any thread.
struct HttpEmbedderStats {
  std::uint64_t requests = 0;
  std::uint64_t retries = 0;
  std::uint64_t texts = 0;  ///< Answered with a vector.
};

/// Texts are sent as they are, never cut. Errors: `connection` and `busy` when all attempts failed
/// (may be tried again later); `credentials`, `permission`, `config` for what no retry mends;
/// `data` for a text that the server refuses (field `text_index`) or vectors that do not fit.
class HttpEmbedder final : public Embedder {
 public:
  /// Checks the options; does not connect.
  static Result<std::unique_ptr<HttpEmbedder>> open(HttpEmbedderOptions options);

  Result<std::size_t> dimensions() override;
  Status embed(std::span<const std::string_view> texts, std::span<float> vectors) override;

  /// Ends calls under way within 100 ms, also those that wait to try again, and refuses later ones
  /// with kind `cancelled`. From any thread.
  void cancel() noexcept { is_cancelled_.store(true, std::memory_order_release); }

  HttpEmbedderStats stats() const noexcept;

 private:
  explicit HttpEmbedder(HttpEmbedderOptions options) : options_(std::move(options)) {}

  Result<std::unique_ptr<HttpClient>> borrow();
  void give_back(std::unique_ptr<HttpClient> client);

  const HttpEmbedderOptions options_;
  std::atomic<bool> is_cancelled_{false};
  std::atomic<std::size_t> dimension_{0};  ///< 0 until known.
  std::atomic<bool> has_succeeded_{false};
  std::atomic<std::uint64_t> requests_{0};
  std::atomic<std::uint64_t> retries_{0};
  std::atomic<std::uint64_t> texts_{0};
  std::mutex mutex_;  ///< Guards idle_.
  std::vector<std::unique_ptr<HttpClient>> idle_;
};

}  // namespace freshet
