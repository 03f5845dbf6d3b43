// Which texts go into which request, and what an answer leads to. Pure: no sockets, no clock.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/backoff.h"
#include "embedders/http/http_client.h"
#include "freshet/result.h"

namespace freshet {

/// Texts [first, first + count) of a call.
struct TextRange {
  std::size_t first = 0;
  std::size_t count = 0;
  friend bool operator==(const TextRange&, const TextRange&) = default;
};

/// Cuts a call into requests within both limits; a text longer than the limit goes alone.
std::vector<TextRange> plan_requests(std::span<const std::string_view> texts,
                                     std::size_t texts_max,
                                     std::size_t bytes_max);

/// What to do with a reply.
struct Verdict {
  enum class Action : std::uint8_t {
    accept,  ///< The body holds vectors.
    retry,   ///< Send it again later; `error` is what to say when no attempt is left.
    split,   ///< The server refuses these texts together: find out which.
    fail,
  };
  Action action = Action::accept;
  std::optional<Error> error = {};
};

/// `has_succeeded`: this server answered such a request before, so that what it refuses now must be
/// due to the texts.
Verdict judge(const HttpReply& reply, TextRange range, bool has_succeeded);

/// The requests of one call: those that wait, when they may go, and how often each was tried.
class RetryPlan {
 public:
  using Time = std::chrono::steady_clock::time_point;

  struct Limits {
    unsigned attempts_max = 6;
    std::chrono::milliseconds backoff_first{250};
    std::chrono::milliseconds backoff_most{20'000};
    std::chrono::milliseconds retry_after_max{120'000};
  };

  struct Request {
    TextRange range;
    unsigned attempt = 0;
    Time not_before{};
  };

  RetryPlan(const std::vector<TextRange>& ranges, Limits limits);

  /// Takes the next request that may be sent at `now`, in order of the texts.
  std::optional<Request> take(Time now);
  /// Puts a request back to be tried after a pause; the error if that was its last attempt.
  Status put_back(
      Request request, const HttpReply& reply, Error error, Time now, std::uint64_t random);
  /// Puts both halves of a request back.
  void split(const Request& request);

  bool is_empty() const noexcept { return waiting_.empty(); }

  /// When take() can next succeed; nothing if no request waits.
  std::optional<Time> next_due() const;

 private:
  const Limits limits_;
  std::deque<Request> waiting_;
  Time paused_until_{};  ///< A pause that the server asked for holds for all requests.
};

}  // namespace freshet
