#include "embedders/http/http_embedder.h"

#include <algorithm>
#include <random>
#include <unordered_map>
#include <utility>

#include "base/try.h"
#include "embedders/http/embedding_json.h"
#include "embedders/http/retry_plan.h"

namespace freshet {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kCancelCheck{50};
constexpr std::string_view kProbeText = "dimension";

/// Sends all requests of one call; hands each accepted answer to `accept(range, body)`.
class Exchange {
 public:
  using Request = RetryPlan::Request;

  struct Shared {
    const HttpEmbedderOptions& options;
    const std::atomic<bool>& is_cancelled;
    std::atomic<bool>& has_succeeded;
    std::atomic<std::uint64_t>& requests;
    std::atomic<std::uint64_t>& retries;
  };

  Exchange(HttpClient& client, Shared shared, std::span<const std::string_view> texts)
      : client_(client),
        shared_(shared),
        texts_(texts),
        plan_(plan_requests(texts, shared.options.batch_texts_max, shared.options.batch_bytes_max),
              {.attempts_max = shared.options.attempts_max,
               .backoff_first = shared.options.backoff_first,
               .backoff_most = shared.options.backoff_most,
               .retry_after_max = shared.options.retry_after_max}) {}

  template <typename Accept>
  Status run(const Accept& accept) {
    while (!plan_.is_empty() || !under_way_.empty()) {
      if (shared_.is_cancelled.load(std::memory_order_acquire)) {
        return Error{ErrorKind::cancelled, "embedding was stopped"};
      }
      FRESHET_TRY(start_due());
      for (const HttpReply& reply : client_.poll(time_to_wait()))
        FRESHET_TRY(settle(reply, accept));
    }
    return ok_status();
  }

 private:
  Status start_due() {
    while (under_way_.size() < shared_.options.requests_in_flight) {
      const std::optional<Request> request = plan_.take(Clock::now());
      if (!request) return ok_status();
      const auto texts = texts_.subspan(request->range.first, request->range.count);
      const std::size_t dimensions =
          shared_.options.sends_dimensions ? shared_.options.dimensions : 0;
      FRESHET_TRY(client_.start(next_tag_,
                                make_embedding_request(shared_.options.model, texts, dimensions)));
      under_way_.emplace(next_tag_++, *request);
      ++shared_.requests;
      if (request->attempt > 1) ++shared_.retries;
    }
    return ok_status();
  }

  // Short enough that cancel() is seen in time.
  std::chrono::milliseconds time_to_wait() const {
    const auto due = plan_.next_due();
    if (!due || under_way_.size() >= shared_.options.requests_in_flight) return kCancelCheck;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*due - Clock::now());
    return std::clamp(left, std::chrono::milliseconds{0}, kCancelCheck);
  }

  template <typename Accept>
  Status settle(const HttpReply& reply, const Accept& accept) {
    const auto found = under_way_.find(reply.tag);
    FRESHET_CHECK(found != under_way_.end());
    const Request request = found->second;
    under_way_.erase(found);
    Verdict verdict = judge(reply, request.range, shared_.has_succeeded.load());
    switch (verdict.action) {
      case Verdict::Action::accept:
        FRESHET_TRY(accept(request.range, reply.body));
        shared_.has_succeeded.store(true);
        return ok_status();
      case Verdict::Action::split:
        plan_.split(request);
        return ok_status();
      case Verdict::Action::retry:
        return plan_.put_back(request, reply, *std::move(verdict.error), Clock::now(), random_());
      case Verdict::Action::fail:
        return *std::move(verdict.error);
    }
    return ok_status();
  }

  HttpClient& client_;
  const Shared shared_;
  const std::span<const std::string_view> texts_;
  RetryPlan plan_;
  std::unordered_map<std::size_t, Request> under_way_;
  std::size_t next_tag_ = 0;
  std::mt19937_64 random_{std::random_device{}()};
};

Status check_options(const HttpEmbedderOptions& options) {
  FRESHET_TRY(check_endpoint(options.endpoint));
  if (options.model.empty()) {
    return Error{ErrorKind::config, "embedder of type http has no model"};
  }
  if (options.batch_texts_max == 0 || options.batch_bytes_max == 0 ||
      options.requests_in_flight == 0 || options.attempts_max == 0) {
    return Error{ErrorKind::config, "embedder's limits must be at least 1"};
  }
  if (options.sends_dimensions && options.dimensions == 0) {
    return Error{ErrorKind::config, "embedder is to send `dimensions` but none are given"};
  }
  return ok_status();
}

}  // namespace

Result<std::unique_ptr<HttpEmbedder>> HttpEmbedder::open(HttpEmbedderOptions options) {
  FRESHET_TRY(check_options(options));
  std::unique_ptr<HttpEmbedder> embedder{new HttpEmbedder(std::move(options))};
  embedder->dimension_ = embedder->options_.dimensions;
  return embedder;
}

Result<std::size_t> HttpEmbedder::dimensions() {
  if (const std::size_t known = dimension_.load(); known != 0) return known;
  FRESHET_TRY(std::unique_ptr<HttpClient> client, borrow());
  const std::string_view probe[] = {kProbeText};
  std::size_t dimension = 0;
  Exchange exchange{*client, {options_, is_cancelled_, has_succeeded_, requests_, retries_}, probe};
  Status status = exchange.run([&](TextRange, const std::string& body) -> Status {
    FRESHET_TRY(dimension, read_dimension(body));
    return ok_status();
  });
  give_back(std::move(client));
  if (!status.ok()) {
    return std::move(status).error().with("url", printable_url(options_.endpoint.url));
  }
  dimension_.store(dimension);
  return dimension;
}

Status HttpEmbedder::embed(std::span<const std::string_view> texts, std::span<float> vectors) {
  if (texts.empty()) return ok_status();
  FRESHET_TRY(const std::size_t width, dimensions());
  FRESHET_CHECK(vectors.size() == texts.size() * width);
  FRESHET_TRY(std::unique_ptr<HttpClient> client, borrow());
  Exchange exchange{*client, {options_, is_cancelled_, has_succeeded_, requests_, retries_}, texts};
  Status status = exchange.run([&](TextRange range, const std::string& body) {
    return read_embeddings(body, range.count, width,
                           vectors.subspan(range.first * width, range.count * width));
  });
  give_back(std::move(client));
  if (!status.ok()) {
    return std::move(status).error().with("url", printable_url(options_.endpoint.url));
  }
  texts_ += texts.size();
  return ok_status();
}

Result<std::unique_ptr<HttpClient>> HttpEmbedder::borrow() {
  {
    const std::lock_guard lock{mutex_};
    if (!idle_.empty()) {
      std::unique_ptr<HttpClient> client = std::move(idle_.back());
      idle_.pop_back();
      return client;
    }
  }
  return HttpClient::open(options_.endpoint);
}

void HttpEmbedder::give_back(std::unique_ptr<HttpClient> client) {
  client->abort();
  const std::lock_guard lock{mutex_};
  idle_.push_back(std::move(client));
}

HttpEmbedderStats HttpEmbedder::stats() const noexcept {
  return {.requests = requests_.load(std::memory_order_relaxed),
          .retries = retries_.load(std::memory_order_relaxed),
          .texts = texts_.load(std::memory_order_relaxed)};
}

}  // namespace freshet
