#include "types/date_time.h"

#include <charconv>
#include <limits>

#include <fmt/format.h>

namespace freshet {
namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kDay = 24 * kHour;
constexpr std::int64_t kDateYearMax = 5'874'897;
constexpr std::int64_t kTimestampYearMax = 294'276;
constexpr std::int64_t kYearMin = -4'713;  // 4714 BC
constexpr std::string_view kBefore = " BC";

struct Date {
  std::int64_t year;
  int month;
  int day;
};

// Days between 0000-03-01 of the proleptic Gregorian calendar and 2000-01-01. The two functions
// count years from March on, so that the leap day is a year's last; eras are of 400 years
// (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms").
constexpr std::int64_t kFromMarchZero = 730'425;
constexpr std::int64_t kDaysPerEra = 146'097;

std::int64_t days_of(const Date& date) {
  const std::int64_t year = date.year - (date.month <= 2 ? 1 : 0);
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year =
      (153 * (date.month + (date.month > 2 ? -3 : 9)) + 2) / 5 + date.day - 1;
  const std::int64_t day_of_era =
      year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * kDaysPerEra + day_of_era - kFromMarchZero;
}

Date date_of(std::int64_t days) {
  days += kFromMarchZero;
  const std::int64_t era = (days >= 0 ? days : days - (kDaysPerEra - 1)) / kDaysPerEra;
  const std::int64_t day_of_era = days - era * kDaysPerEra;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / (kDaysPerEra - 1)) /
      365;
  const std::int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t from_march = (5 * day_of_year + 2) / 153;
  const int day = static_cast<int>(day_of_year - (153 * from_march + 2) / 5 + 1);
  const int month = static_cast<int>(from_march < 10 ? from_march + 3 : from_march - 9);
  return {.year = year_of_era + era * 400 + (month <= 2 ? 1 : 0), .month = month, .day = day};
}

// What PostgreSQL counts its days from. There is a year 0 here, which is 1 BC.
constexpr Date kFirstDay{.year = kYearMin, .month = 11, .day = 24};

// Takes a number of `digits_min` to `digits_max` digits off the front; -1 if there is none.
std::int64_t take_number(std::string_view& text, std::size_t digits_min, std::size_t digits_max) {
  std::size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9')
    ++digits;
  if (digits < digits_min || digits > digits_max) return -1;
  std::int64_t number = -1;
  std::from_chars(text.data(), text.data() + digits, number);
  text.remove_prefix(digits);
  return number;
}

bool take(std::string_view& text, char wanted) {
  if (!text.starts_with(wanted)) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<std::int64_t> take_date(std::string_view& text,
                                      bool is_before_christ,
                                      std::int64_t year_max) {
  Date date{};
  date.year = take_number(text, 4, 7);
  if (date.year < 1 || !take(text, '-')) return {};
  date.month = static_cast<int>(take_number(text, 2, 2));
  if (date.month < 1 || date.month > 12 || !take(text, '-')) return {};
  date.day = static_cast<int>(take_number(text, 2, 2));
  if (is_before_christ) date.year = 1 - date.year;
  if (date.day < 1 || date.year < kYearMin || date.year > year_max) return {};
  const std::int64_t days = days_of(date);
  const bool is_in_month = date_of(days).day == date.day;
  return is_in_month && days >= days_of(kFirstDay) ? std::optional{days} : std::nullopt;
}

// Two digits below `limit`; -1 if there are none.
std::int64_t take_part(std::string_view& text, std::int64_t limit) {
  const std::int64_t part = take_number(text, 2, 2);
  return part < limit ? part : -1;
}

std::optional<std::int64_t> take_time(std::string_view& text) {
  const std::int64_t hours = take_part(text, 24);
  if (hours < 0 || !take(text, ':')) return {};
  const std::int64_t minutes = take_part(text, 60);
  if (minutes < 0 || !take(text, ':')) return {};
  const std::int64_t seconds = take_part(text, 60);
  if (seconds < 0) return {};
  std::int64_t fraction = 0;
  if (take(text, '.')) {
    const std::size_t before = text.size();
    fraction = take_number(text, 1, 6);
    if (fraction < 0) return {};
    for (std::size_t digits = before - text.size(); digits < 6; ++digits)
      fraction *= 10;
  }
  return hours * kHour + minutes * kMinute + seconds * kSecond + fraction;
}

// "+HH", "+HH:MM" or "+HH:MM:SS"; zero if there is none.
std::optional<std::int64_t> take_offset(std::string_view& text) {
  if (text.empty()) return 0;
  const bool is_west = take(text, '-');
  if (!is_west && !take(text, '+')) return {};
  std::int64_t offset = 0;
  std::int64_t unit = kHour;
  do {
    const std::int64_t part = take_part(text, 60);
    if (part < 0 || unit < kSecond) return {};
    offset += part * unit;
    unit /= 60;
  } while (take(text, ':'));
  return is_west ? -offset : offset;
}

bool take_before_christ(std::string_view& text) {
  if (!text.ends_with(kBefore)) return false;
  text.remove_suffix(kBefore.size());
  return true;
}

template <typename Number>
std::optional<std::int64_t> parse_infinity(std::string_view text) {
  if (text == "infinity") return std::numeric_limits<Number>::max();
  if (text == "-infinity") return std::numeric_limits<Number>::min();
  return {};
}

std::string iso_date(const Date& date) {
  const std::int64_t year = date.year > 0 ? date.year : 1 - date.year;
  return fmt::format("{:04}-{:02}-{:02}", year, date.month, date.day);
}

}  // namespace

std::optional<std::int64_t> parse_date(std::string_view text) {
  if (const auto infinity = parse_infinity<std::int32_t>(text)) return infinity;
  const bool is_before_christ = take_before_christ(text);
  const auto days = take_date(text, is_before_christ, kDateYearMax);
  return text.empty() ? days : std::nullopt;
}

std::string date_text(std::int64_t days) {
  if (days == std::numeric_limits<std::int32_t>::max()) return "infinity";
  if (days == std::numeric_limits<std::int32_t>::min()) return "-infinity";
  const Date date = date_of(days);
  return iso_date(date) + std::string{date.year > 0 ? "" : kBefore};
}

std::optional<std::int64_t> parse_timestamp(std::string_view text) {
  if (const auto infinity = parse_infinity<std::int64_t>(text)) return infinity;
  const bool is_before_christ = take_before_christ(text);
  const auto days = take_date(text, is_before_christ, kTimestampYearMax);
  if (!days || !take(text, ' ')) return {};
  const auto time = take_time(text);
  if (!time) return {};
  const auto offset = take_offset(text);
  if (!offset || !text.empty()) return {};
  return *days * kDay + *time - *offset;
}

std::string timestamp_text(std::int64_t microseconds, bool has_offset) {
  if (microseconds == std::numeric_limits<std::int64_t>::max()) return "infinity";
  if (microseconds == std::numeric_limits<std::int64_t>::min()) return "-infinity";
  const std::int64_t time = (microseconds % kDay + kDay) % kDay;
  const Date date = date_of(microseconds / kDay - (microseconds % kDay < 0 ? 1 : 0));
  std::string text = fmt::format("{} {:02}:{:02}:{:02}", iso_date(date), time / kHour,
                                 time % kHour / kMinute, time % kMinute / kSecond);
  if (time % kSecond != 0) {
    text += fmt::format(".{:06}", time % kSecond);
    text.erase(text.find_last_not_of('0') + 1);
  }
  if (has_offset) text += "+00";
  if (date.year <= 0) text += kBefore;
  return text;
}

}  // namespace freshet
