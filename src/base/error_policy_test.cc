#include "base/error_policy.h"

#include <gtest/gtest.h>

namespace freshet {
namespace {

TEST(ErrorPolicy, WhatMayPassIsNotWorthTryingAtFirst) {
  const Error standby = Error{ErrorKind::setting, "read-only"}.sqlstate("25006");
  const Error senders = Error{ErrorKind::setting, "no more senders"}.sqlstate("53300");
  for (const Error* error : {&standby, &senders}) {
    EXPECT_TRUE(may_pass(*error));
    EXPECT_EQ(retry_of(*error), Retry::never);
  }
  EXPECT_FALSE(may_pass(Error{ErrorKind::setting, "wal_level"}));
}

}  // namespace
}  // namespace freshet
