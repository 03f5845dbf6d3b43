// Fuzzes dates and timestamps: a text is refused or means the same as the text that its number is
// printed as; texts of four-digit years compare as their numbers do.
// Covers: types/date_time.cc

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "base/testing/fuzz_input.h"
#include "base/try.h"
#include "types/date_time.h"

namespace {

using freshet::testing::FuzzInput;

// 4713 BC to 294276, in days and in seconds from 2000-01-01.
constexpr std::int64_t kDayMin = -2'451'507;
constexpr std::int64_t kDays = 109'203'529 - 2'451'507;
constexpr std::int64_t kSecondsPerDay = 86'400;
constexpr std::int64_t kMicroseconds = 1'000'000;
constexpr std::size_t kShortYearSize = std::string_view{"2000-01-01"}.size();

std::string make_text(FuzzInput& in) {
  if (in.flip()) return std::string{in.take(in.below(48))};
  const auto part = [&](std::size_t limit) { return fmt::format("{:02}", in.below(limit)); };
  std::string text = fmt::format("{:04}-{}-{}", in.integer() % 300'000, part(14), part(33));
  if (in.flip()) text += fmt::format(" {}:{}:{}", part(25), part(61), part(61));
  if (in.flip()) text += fmt::format(".{}", in.integer() % 10'000'000);
  if (in.flip()) text += fmt::format("{}{}", in.flip() ? '+' : '-', part(16));
  if (in.flip()) text += fmt::format(":{}", part(61));
  if (in.flip()) text += " BC";
  return text;
}

void check_text(std::string_view text) {
  if (const auto days = freshet::parse_date(text)) {
    FRESHET_CHECK(freshet::date_text(*days).size() <= text.size());
    FRESHET_CHECK(freshet::parse_date(freshet::date_text(*days)) == days);
  }
  if (const auto time = freshet::parse_timestamp(text)) {
    for (const bool has_offset : {false, true})
      FRESHET_CHECK(freshet::parse_timestamp(freshet::timestamp_text(*time, has_offset)) == time);
  }
}

struct Moment {
  std::int64_t days;
  std::int64_t microseconds;
};

/// Holds what a number is printed as against the number.
Moment make_moment(FuzzInput& in) {
  const std::int64_t day = kDayMin + static_cast<std::int64_t>(in.integer() % kDays);
  const auto second = static_cast<std::int64_t>(in.integer() % kSecondsPerDay);
  const auto fraction = static_cast<std::int64_t>(in.integer() % kMicroseconds);
  const Moment moment{day, (day * kSecondsPerDay + second) * kMicroseconds + fraction};
  FRESHET_CHECK(freshet::parse_date(freshet::date_text(day)) == day);
  for (const bool has_offset : {false, true}) {
    const std::string text = freshet::timestamp_text(moment.microseconds, has_offset);
    FRESHET_CHECK(text.substr(0, 4) == freshet::date_text(day).substr(0, 4));
    FRESHET_CHECK(freshet::parse_timestamp(text) == moment.microseconds);
  }
  return moment;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzInput in{data, size};
  check_text(make_text(in));
  const Moment a = make_moment(in);
  const Moment b = make_moment(in);
  const std::string one = freshet::date_text(a.days);
  const std::string other = freshet::date_text(b.days);
  if (one.size() == kShortYearSize && other.size() == kShortYearSize)
    FRESHET_CHECK((one < other) == (a.days < b.days));
  return 0;
}
