// Single values, names and passwords in URLs.
#include <array>

#include <gtest/gtest.h>

#include "base/nearest.h"
#include "config/url_secret.h"
#include "config/value_syntax.h"

namespace freshet {
namespace {

TEST(TableNames, AreReadAsSqlWritesThem) {
  EXPECT_EQ(parse_table_name("calls"), (TableName{"public", "calls"}));
  EXPECT_EQ(parse_table_name("app.calls"), (TableName{"app", "calls"}));
  EXPECT_EQ(parse_table_name("public.\"We ird\""), (TableName{"public", "We ird"}));
  EXPECT_EQ(parse_table_name("\"a.b\".\"c\"\"d\""), (TableName{"a.b", "c\"d"}));
  for (const char* bad : {"", ".", "a.", ".a", "a.b.c", "a b", "\"a", "a\"b\"", "\"a\"b"}) {
    EXPECT_EQ(parse_table_name(bad), std::nullopt) << bad;
  }
  EXPECT_EQ(parse_table_name(std::string(64, 'x')), std::nullopt);
}

TEST(Numbers, OverflowIsNoNumber) {
  EXPECT_EQ(parse_number("18446744073709551615"), 18446744073709551615ULL);
  EXPECT_EQ(parse_number("18446744073709551616"), std::nullopt);
  EXPECT_EQ(parse_number("1_000"), 1000U);
  for (const char* bad : {"", "-1", "1.5", "0x10", "1 ", "_1"}) {
    EXPECT_EQ(parse_number(bad), std::nullopt) << bad;
  }
  EXPECT_EQ(parse_size("64 MiB"), std::uint64_t{64} << 20);
  EXPECT_EQ(parse_size("18446744073709551615GiB"), std::nullopt);
  EXPECT_EQ(parse_duration_ms("2min"), 120'000U);
  EXPECT_EQ(parse_duration_ms("2"), std::nullopt);
}

TEST(UrlSecrets, AreFoundWhereverLibpqTakesThem) {
  EXPECT_EQ(redact_url("postgresql://u:p%40w@h:5432/d"), "postgresql://u:***@h:5432/d");
  EXPECT_EQ(redact_url("postgresql://u:p@w/x@h/d"), "postgresql://u:***@h/d");
  EXPECT_EQ(redact_url("postgresql://u@h/d?password=x&sslpassword=y"),
            "postgresql://u@h/d?password=***&sslpassword=***");
  EXPECT_EQ(redact_url("host=h password = 'a b\\'c' user=u"), "host=h password = *** user=u");
  EXPECT_FALSE(has_url_password("postgresql://u@h:5432/d"));
  EXPECT_FALSE(has_url_password("jsonl:a:b"));
  EXPECT_FALSE(has_url_password("postgresql://[::1]:5432/d"));
  std::array<char, 32> text{"postgresql://u:secret@h/d"};
  blank_url_password(text.data());
  EXPECT_STREQ(text.data(), "postgresql://u:xxxxxx@h/d");
}

TEST(Nearest, FindsSwapsAndNothingFarAway) {
  constexpr std::array<std::string_view, 3> kWords{"tables", "url", "publications"};
  EXPECT_EQ(edit_distance("abc", "acb"), 1U);
  EXPECT_EQ(find_nearest("tabels", kWords), "tables");
  EXPECT_EQ(find_nearest("publicatoins", kWords), "publications");
  EXPECT_EQ(find_nearest("zebra", kWords), "");
}

}  // namespace
}  // namespace freshet
