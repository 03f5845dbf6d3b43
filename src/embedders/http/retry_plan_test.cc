#include "embedders/http/retry_plan.h"

#include <string>

#include <gtest/gtest.h>

namespace freshet {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Action = Verdict::Action;

const RetryPlan::Time kStart{std::chrono::hours{1}};

HttpReply reply(long status, std::string body = {}) {
  HttpReply reply;
  reply.status = status;
  reply.body = std::move(body);
  return reply;
}

Error busy() {
  return Error{ErrorKind::busy, "busy"};
}

TEST(PlanRequests, KeepsBothLimitsAndOrder) {
  const std::vector<std::string_view> texts{"aa", "bb", "cc", "a text past the limit",
                                            "d",  "e",  "f"};
  EXPECT_EQ(plan_requests(texts, 2, 5),
            (std::vector<TextRange>{{0, 2}, {2, 1}, {3, 1}, {4, 2}, {6, 1}}));
  EXPECT_TRUE(plan_requests({}, 2, 5).empty());
}

TEST(Judge, RetriesWhatMayPass) {
  for (const long status : {408L, 429L, 500L, 502L, 503L, 504L, 529L}) {
    const Verdict verdict = judge(reply(status), {0, 4}, true);
    EXPECT_EQ(verdict.action, Action::retry) << status;
    EXPECT_EQ(verdict.error->kind(), ErrorKind::busy);
  }
  HttpReply cut;
  cut.failure = Error{ErrorKind::connection, "cut"};
  EXPECT_EQ(judge(cut, {0, 1}, true).action, Action::retry);
}

TEST(Judge, FailsAtOnceOnWhatNoRetryMends) {
  const std::pair<long, ErrorKind> cases[] = {{401, ErrorKind::credentials},
                                              {403, ErrorKind::permission},
                                              {404, ErrorKind::config},
                                              {302, ErrorKind::config},
                                              {204, ErrorKind::protocol}};
  for (const auto& [status, kind] : cases) {
    const Verdict verdict = judge(reply(status), {0, 4}, true);
    EXPECT_EQ(verdict.action, Action::fail) << status;
    EXPECT_EQ(verdict.error->kind(), kind) << status;
  }
}

TEST(Judge, SplitsARefusedRequestUntilTheTextIsKnown) {
  EXPECT_EQ(judge(reply(400), {10, 2}, false).action, Action::split);
  const Verdict verdict = judge(reply(400), {11, 1}, true);
  EXPECT_EQ(verdict.action, Action::fail);
  EXPECT_EQ(verdict.error->kind(), ErrorKind::data);
  EXPECT_EQ(verdict.error->find("text_index"), "11");
}

TEST(Judge, BlamesTheTextForItsLengthAndElseTheConfiguration) {
  const std::string too_long =
      R"({"error":{"message":"maximum context length is 8192 tokens","code":"context_length_exceeded"}})";
  EXPECT_EQ(judge(reply(400, too_long), {0, 1}, false).error->kind(), ErrorKind::data);
  EXPECT_EQ(judge(reply(400, "{}"), {0, 1}, false).error->kind(), ErrorKind::config);
}

TEST(Judge, ShowsTheCodeButNotTheMessage) {
  const Verdict verdict =
      judge(reply(401, R"({"error":{"message":"bad key sk-secret","code":"invalid_api_key"}})"),
            {0, 1}, true);
  EXPECT_EQ(verdict.error->find("code"), "invalid_api_key");
  EXPECT_EQ(verdict.error->describe().find("sk-secret"), std::string::npos);
}

TEST(RetryPlan, WaitsLongerFromAttemptToAttemptAndGivesUp) {
  RetryPlan plan{
      {{0, 1}},
      {.attempts_max = 3, .backoff_first = milliseconds{100}, .backoff_most = seconds{1}}};
  auto request = plan.take(kStart);
  ASSERT_TRUE(request);
  ASSERT_TRUE(plan.put_back(*request, reply(500), busy(), kStart, 7).ok());
  EXPECT_FALSE(plan.take(kStart));
  EXPECT_GE(*plan.next_due(), kStart + milliseconds{50});
  EXPECT_LE(*plan.next_due(), kStart + milliseconds{100});
  request = plan.take(*plan.next_due());
  ASSERT_TRUE(request);
  ASSERT_TRUE(plan.put_back(*request, reply(500), busy(), kStart, 7).ok());
  EXPECT_GE(*plan.next_due(), kStart + milliseconds{100});
  request = plan.take(*plan.next_due());
  const Status given_up = plan.put_back(*request, reply(500), busy(), kStart, 7);
  ASSERT_FALSE(given_up.ok());
  EXPECT_EQ(given_up.error().find("attempts"), "3");
}

TEST(RetryPlan, HoldsAllRequestsForAsLongAsTheServerAsks) {
  RetryPlan plan{{{0, 1}, {1, 1}}, {.backoff_first = milliseconds{1}}};
  HttpReply asked = reply(429);
  asked.retry_after = seconds{5};
  const auto request = plan.take(kStart);
  ASSERT_TRUE(plan.put_back(*request, asked, busy(), kStart, 1).ok());
  EXPECT_FALSE(plan.take(kStart + seconds{4}));
  EXPECT_EQ(*plan.next_due(), kStart + seconds{5});
  EXPECT_TRUE(plan.take(kStart + seconds{5}));
  EXPECT_TRUE(plan.take(kStart + seconds{5}));
}

TEST(RetryPlan, GivesUpWhenTheServerAsksForTooLongAPause) {
  RetryPlan plan{{{0, 1}}, {.retry_after_max = seconds{60}}};
  HttpReply asked = reply(429);
  asked.retry_after = seconds{3600};
  const Status status = plan.put_back(*plan.take(kStart), asked, busy(), kStart, 1);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().find("retry_after_s"), "3600");
}

TEST(RetryPlan, TriesBothHalvesOfASplitInOrder) {
  RetryPlan plan{{{0, 5}, {5, 1}}, {}};
  plan.split(*plan.take(kStart));
  EXPECT_EQ(plan.take(kStart)->range, (TextRange{0, 2}));
  EXPECT_EQ(plan.take(kStart)->range, (TextRange{2, 3}));
  EXPECT_EQ(plan.take(kStart)->range, (TextRange{5, 1}));
  EXPECT_TRUE(plan.is_empty());
}

}  // namespace
}  // namespace freshet
