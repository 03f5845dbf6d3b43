#include "types/date_time.h"

#include <limits>

#include <gtest/gtest.h>

namespace freshet {
namespace {

TEST(DateTime, DatesAreDaysFromTheYear2000) {
  EXPECT_EQ(parse_date("2000-01-01"), 0);
  EXPECT_EQ(parse_date("1999-12-31"), -1);
  EXPECT_EQ(parse_date("2000-03-01"), 60);
  EXPECT_EQ(parse_date("0001-01-01"), -730'119);
  EXPECT_EQ(parse_date("0001-12-31 BC"), -730'120);
  EXPECT_EQ(parse_date("infinity"), std::numeric_limits<std::int32_t>::max());
  EXPECT_EQ(parse_date("-infinity"), std::numeric_limits<std::int32_t>::min());
  for (const char* text : {"4713-01-01 BC", "0045-02-29 BC", "0004-02-29", "1900-02-28",
                           "5874897-12-31", "infinity", "-infinity"})
    EXPECT_EQ(date_text(*parse_date(text)), text);
}

TEST(DateTime, TimestampsAreMicrosecondsInUtc) {
  EXPECT_EQ(parse_timestamp("2000-01-01 00:00:00"), 0);
  EXPECT_EQ(parse_timestamp("1999-12-31 23:59:59.999999"), -1);
  EXPECT_EQ(parse_timestamp("2000-01-01 00:00:00.5+00"), 500'000);
  EXPECT_EQ(parse_timestamp("2000-01-01 05:30:00+05:30"), 0);
  EXPECT_EQ(parse_timestamp("1999-12-31 19:03:58-04:56:02"), 0);
  for (const char* text : {"4714-11-24 00:00:00+00 BC", "294276-12-31 23:59:59.999999+00",
                           "2024-02-29 01:02:03.04+00", "infinity", "-infinity"})
    EXPECT_EQ(timestamp_text(*parse_timestamp(text), true), text);
  EXPECT_EQ(timestamp_text(-1, false), "1999-12-31 23:59:59.999999");
}

TEST(DateTime, WhatIsNoDateIsNone) {
  for (const char* text :
       {"", "2000-1-01", "2000-01-1", "200-01-01", "2000-13-01", "2000-00-01", "2001-02-29",
        "2000-04-31", "2000-01-00", "2000-01-01x", "0000-01-01", "4714-11-23 BC", "5874898-01-01",
        "99999999-01-01", "Infinity", " BC", "2000/01/01", "2000-01/01"})
    EXPECT_FALSE(parse_date(text)) << text;
  for (const char* text :
       {"2000-01-01", "2000-01-01 24:00:00", "2000-01-01 00:60:00", "2000-01-01 00:00:60",
        "2000-01-01 00:00", "2000-01-01 00:00:00.", "2000-01-01 00:00:00.1234567",
        "2000-01-01 00:00:00 00", "2000-01-01 00:00:00+1", "2000-01-01 00:00:00+01:02:03:04",
        "2000-01-01 00:00:00+01:", "294277-01-01 00:00:00", "2000-01-01T00:00:00", "2000-01-01 00"})
    EXPECT_FALSE(parse_timestamp(text)) << text;
}

}  // namespace
}  // namespace freshet
