#include "destinations/jsonl/json_text.h"

#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstring>

namespace freshet {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

constexpr std::uint64_t repeat(std::uint8_t byte) {
  return byte * 0x0101010101010101U;
}

// True if all eight bytes are printable ASCII other than quote and backslash. A borrow may flag a
// harmless byte above a flagged one; the slow path then looks at each byte.
bool is_plain(std::uint64_t eight) {
  const auto has_zero = [](std::uint64_t x) { return (x - repeat(0x01)) & ~x & repeat(0x80); };
  const std::uint64_t control = (eight - repeat(0x20)) & ~eight;
  return ((eight | control) & repeat(0x80)) == 0 && has_zero(eight ^ repeat('"')) == 0 &&
         has_zero(eight ^ repeat('\\')) == 0;
}

void append_escape(std::string& out, char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  const auto byte = static_cast<unsigned char>(c);
  out += "\\u00";
  out += kHexDigits[byte >> 4U];
  out += kHexDigits[byte & 0xfU];
}

// Bytes of the UTF-8 sequence at the start of `text`, 0 if it is none (RFC 3629: no overlong forms,
// no surrogates, nothing past U+10FFFF).
std::size_t utf8_size(std::string_view text) {
  const auto at = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto is_tail = [&](std::size_t i) { return (at(i) & 0xC0U) == 0x80U; };
  const unsigned first = at(0);
  const unsigned second = at(1);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return is_tail(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const bool is_bad = (first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F);
    return !is_bad && is_tail(1) && is_tail(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool is_bad = (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F);
    return !is_bad && is_tail(1) && is_tail(2) && is_tail(3) ? 4 : 0;
  }
  return 0;
}

// Length of the longest prefix that needs neither escape nor check.
std::size_t plain_prefix(std::string_view text) {
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t eight;
    std::memcpy(&eight, text.data() + at, sizeof eight);
    if (!is_plain(eight)) break;
  }
  for (; at < text.size(); ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte < 0x20 || byte >= 0x80 || byte == '"' || byte == '\\') break;
  }
  return at;
}

void append_padded(std::string& out, unsigned number, int digits) {
  std::array<char, 10> text{};
  for (int i = digits - 1; i >= 0; --i) {
    text[static_cast<std::size_t>(i)] = static_cast<char>('0' + number % 10);
    number /= 10;
  }
  out.append(text.data(), static_cast<std::size_t>(digits));
}

void append_hex(std::string& out, std::uint32_t number) {
  std::array<char, 8> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number, 16).ptr;
  for (char* c = text.data(); c != end; ++c)
    out += *c >= 'a' ? static_cast<char>(*c - 32) : *c;
}

}  // namespace

bool append_json_string(std::string& out, std::string_view text) {
  const std::size_t start = out.size();
  out += '"';
  while (!text.empty()) {
    const std::size_t plain = plain_prefix(text);
    out.append(text.data(), plain);
    text.remove_prefix(plain);
    if (text.empty()) break;
    const std::size_t size = utf8_size(text);
    if (size == 0) {
      out.resize(start);
      return false;
    }
    if (size == 1) {
      append_escape(out, text.front());
    } else {
      out.append(text.data(), size);
    }
    text.remove_prefix(size);
  }
  out += '"';
  return true;
}

void append_json_lsn(std::string& out, Lsn lsn) {
  if (lsn == kNoLsn) {
    out += "null";
    return;
  }
  const std::uint64_t value = to_integer(lsn);
  out += '"';
  append_hex(out, static_cast<std::uint32_t>(value >> 32U));
  out += '/';
  append_hex(out, static_cast<std::uint32_t>(value));
  out += '"';
}

void append_json_time(std::string& out, SourceTime time) {
  using std::chrono::floor;
  const std::chrono::sys_time<std::chrono::microseconds> moment{
      std::chrono::microseconds{to_integer(time) + kPostgresEpochUnixMicros}};
  const auto day = floor<std::chrono::days>(moment);
  const std::chrono::year_month_day date{day};
  const auto micros = static_cast<std::uint64_t>((moment - day).count());
  const auto seconds = static_cast<unsigned>(micros / 1'000'000);
  out += '"';
  append_padded(out, static_cast<unsigned>(static_cast<int>(date.year())), 4);
  out += '-';
  append_padded(out, static_cast<unsigned>(date.month()), 2);
  out += '-';
  append_padded(out, static_cast<unsigned>(date.day()), 2);
  out += 'T';
  append_padded(out, seconds / 3600, 2);
  out += ':';
  append_padded(out, seconds / 60 % 60, 2);
  out += ':';
  append_padded(out, seconds % 60, 2);
  out += '.';
  append_padded(out, static_cast<unsigned>(micros % 1'000'000), 6);
  out += "Z\"";
}

void append_decimal(std::string& out, std::uint64_t number) {
  std::array<char, 20> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  out.append(text.data(), end);
}

}  // namespace freshet
