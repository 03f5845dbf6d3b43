// POSTs to one URL over libcurl, several at a time. Knows nothing of what is in the bodies.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/secret.h"
#include "freshet/result.h"

namespace freshet {

struct HttpEndpoint {
  std::string url;
  Secret api_key = {};       ///< Goes into the Authorization header and nowhere else.
  std::string ca_file = {};  ///< PEM file of trusted certificates; empty: the system's.
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds request_timeout{60'000};
  std::size_t answer_bytes_max = std::size_t{64} << 20;
};

/// Refuses, with kind `config`: other schemes than http and https, credentials in the URL, and a
/// key that would travel over plain http to another host.
Status check_endpoint(const HttpEndpoint& endpoint);
/// scheme://host:port/path without credentials or query: for messages.
std::string printable_url(const std::string& url);

struct HttpReply {
  std::size_t tag = 0;
  long status = 0;  ///< 0 if there was no answer; then `failure` says why.
  std::string body;
  std::optional<std::chrono::seconds> retry_after;
  /// `connection` (timeouts included): may be tried again. Other kinds: not.
  std::optional<Error> failure;
};

/// One thread at a time. Connections are kept open between requests. TLS certificates are checked,
/// redirects are not followed.
class HttpClient {
 public:
  static Result<std::unique_ptr<HttpClient>> open(const HttpEndpoint& endpoint);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// Sends `body` as JSON; the reply will carry `tag`.
  Status start(std::size_t tag, std::string body);
  /// Works on all transfers, waiting up to `wait` for one to move; returns those that ended.
  std::vector<HttpReply> poll(std::chrono::milliseconds wait);
  /// Drops all transfers under way.
  void abort();
  std::size_t active_count() const noexcept;

 private:
  struct Transfer;
  struct Handles;

  HttpClient(HttpEndpoint endpoint, std::unique_ptr<Handles> handles);
  HttpReply finish(std::size_t index, int code);

  const HttpEndpoint endpoint_;
  std::unique_ptr<Handles> handles_;
};

}  // namespace freshet
