#include "destinations/registry.h"

#include <gtest/gtest.h>

namespace freshet {
namespace {

TEST(Registry, KnownSchemesMakeDestinations) {
  for (const char* url : {"jsonl:-", "null:", "postgresql://host/db", "postgres://host/db"}) {
    EXPECT_TRUE(make_destination({.name = "d", .url = url, .vector_index = {}}).ok()) << url;
  }
}

TEST(Registry, UnknownSchemeListsKnownOnesAndHidesTheUrl) {
  const auto made =
      make_destination({.name = "lake", .url = "mysql://root:hunter2@db", .vector_index = {}});
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().kind(), ErrorKind::config);
  EXPECT_NE(made.error().fix().find("jsonl:"), std::string::npos);
  EXPECT_EQ(made.error().find("destination"), "lake");
  EXPECT_EQ(made.error().describe().find("hunter2"), std::string::npos);
}

}  // namespace
}  // namespace freshet
