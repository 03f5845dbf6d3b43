#include "embedders/http/retry_plan.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/try.h"
#include "embedders/http/embedding_json.h"

namespace freshet {
namespace {

Error with_answer(Error error, const HttpReply& reply, const ServerComplaint& complaint) {
  error.add("http_status", std::to_string(reply.status));
  if (!complaint.code.empty()) error.add("code", complaint.code);
  return error;
}

// 400, 413 and 422: a text too long for the model, too many texts, or a request that can never
// work.
Verdict judge_refusal(const HttpReply& reply,
                      TextRange range,
                      bool has_succeeded,
                      const ServerComplaint& complaint) {
  if (range.count > 1) return {.action = Verdict::Action::split};
  if (has_succeeded || complaint.is_text_too_long || reply.status == 413) {
    Error error{ErrorKind::data, complaint.is_text_too_long
                                     ? "text is too long for the embedding model"
                                     : "embedding server refuses a text"};
    error.add("text_index", std::to_string(range.first));
    return {.action = Verdict::Action::fail,
            .error = with_answer(std::move(error), reply, complaint)};
  }
  return {.action = Verdict::Action::fail,
          .error = with_answer(Error{ErrorKind::config, "embedding server refuses the request"}.fix(
                                   "check the embedder's `model`, `url` and `dimensions`"),
                               reply, complaint)};
}

Error permanent(const HttpReply& reply) {
  switch (reply.status) {
    case 401:
      return Error{ErrorKind::credentials, "embedding server refuses the api key"}.fix(
          "check the variable that the embedder's `api_key` comes from");
    case 402:
    case 403:
      return Error{ErrorKind::permission, "embedding server does not allow this request"}.fix(
          "check what the key may use, and the account behind it");
    case 404:
    case 405:
      return Error{ErrorKind::config, "embedding server knows no such address or model"}.fix(
          "give the whole address in `url`, e.g. https://host/v1/embeddings, and check `model`");
    default:
      break;
  }
  if (reply.status >= 300 && reply.status < 400) {
    return Error{ErrorKind::config, "embedding server redirects, which is not followed"}.fix(
        "give the final address in `url`");
  }
  return Error{ErrorKind::protocol, "embedding server answered with an unexpected status"};
}

bool is_worth_a_retry(long status) {
  return status == 408 || status == 425 || status == 429 || (status >= 500 && status <= 599);
}

}  // namespace

std::vector<TextRange> plan_requests(std::span<const std::string_view> texts,
                                     std::size_t texts_max,
                                     std::size_t bytes_max) {
  std::vector<TextRange> ranges;
  std::size_t bytes = 0;
  for (std::size_t at = 0; at < texts.size(); ++at) {
    const bool is_full = ranges.empty() || ranges.back().count >= texts_max ||
                         texts[at].size() > bytes_max || bytes > bytes_max - texts[at].size();
    if (is_full) {
      ranges.push_back({.first = at, .count = 0});
      bytes = 0;
    }
    ++ranges.back().count;
    bytes += texts[at].size();
  }
  return ranges;
}

Verdict judge(const HttpReply& reply, TextRange range, bool has_succeeded) {
  if (reply.failure) {
    const bool may_pass = reply.failure->kind() == ErrorKind::connection;
    return {.action = may_pass ? Verdict::Action::retry : Verdict::Action::fail,
            .error = reply.failure};
  }
  if (reply.status == 200) return {};
  const ServerComplaint complaint = read_complaint(reply.body);
  if (is_worth_a_retry(reply.status)) {
    return {.action = Verdict::Action::retry,
            .error = with_answer(Error{ErrorKind::busy, "embedding server is busy or failing"},
                                 reply, complaint)};
  }
  if (reply.status == 400 || reply.status == 413 || reply.status == 422) {
    return judge_refusal(reply, range, has_succeeded, complaint);
  }
  return {.action = Verdict::Action::fail,
          .error = with_answer(permanent(reply), reply, complaint)};
}

RetryPlan::RetryPlan(const std::vector<TextRange>& ranges, Limits limits) : limits_(limits) {
  for (const TextRange& range : ranges)
    waiting_.push_back({.range = range});
}

std::optional<RetryPlan::Request> RetryPlan::take(Time now) {
  if (now < paused_until_) return std::nullopt;
  const auto due = std::find_if(waiting_.begin(), waiting_.end(),
                                [&](const Request& request) { return request.not_before <= now; });
  if (due == waiting_.end()) return std::nullopt;
  Request request = *due;
  waiting_.erase(due);
  ++request.attempt;
  return request;
}

Status RetryPlan::put_back(
    Request request, const HttpReply& reply, Error error, Time now, std::uint64_t random) {
  error.add("attempts", std::to_string(request.attempt));
  if (request.attempt >= limits_.attempts_max) return error;
  Backoff backoff{limits_.backoff_first, limits_.backoff_most};
  std::chrono::milliseconds pause{0};
  for (unsigned attempt = 0; attempt < request.attempt; ++attempt)
    pause = backoff.next(random);
  request.not_before = now + pause;
  if (reply.retry_after) {
    if (*reply.retry_after > limits_.retry_after_max) {
      error.add("retry_after_s", std::to_string(reply.retry_after->count()));
      return error;
    }
    paused_until_ = std::max(paused_until_, now + *reply.retry_after);
    request.not_before = std::max(request.not_before, paused_until_);
  }
  waiting_.push_front(request);
  return ok_status();
}

void RetryPlan::split(const Request& request) {
  const std::size_t half = request.range.count / 2;
  const TextRange second{.first = request.range.first + half, .count = request.range.count - half};
  waiting_.push_front({.range = second});
  waiting_.push_front({.range = {.first = request.range.first, .count = half}});
}

std::optional<RetryPlan::Time> RetryPlan::next_due() const {
  if (waiting_.empty()) return std::nullopt;
  const auto first = std::min_element(
      waiting_.begin(), waiting_.end(),
      [](const Request& a, const Request& b) { return a.not_before < b.not_before; });
  return std::max(first->not_before, paused_until_);
}

}  // namespace freshet
