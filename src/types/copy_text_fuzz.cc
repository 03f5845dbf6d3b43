// Fuzzes the COPY text format. The first byte says into how many fields a row is split, and bit 4
// whether the rest is a row or the values of one.
//   a row      is split as a splitter says that goes byte by byte, or refused; what was split is
//              written and read back the same
//   values     fields with a zero byte between them; they are written and read back the same
// Covers: types/copy_text.cc

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/testing/fuzz_input.h"
#include "base/try.h"
#include "types/copy_text.h"

namespace {

using freshet::Value;
using freshet::ValueKind;

using Field = std::optional<std::string>;

bool is_same(const Value& a, const Value& b) {
  return a.kind == b.kind && a.view() == b.view();
}

int digit_value(char c) {
  const std::size_t found = std::string_view{"0123456789abcdef"}.find(
      c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c);
  return found == std::string_view::npos ? 16 : static_cast<int>(found);
}

/// Takes up to `count_max` digits of a base off the front.
char take_digits(std::string_view& text, int base, int count_max) {
  int value = 0;
  for (int i = 0; i < count_max && !text.empty() && digit_value(text.front()) < base; ++i) {
    value = value * base + digit_value(text.front());
    text.remove_prefix(1);
  }
  return static_cast<char>(value);
}

/// What a backslash and that text behind it stand for; the text is not empty.
char take_escaped(std::string_view& text) {
  if (digit_value(text.front()) < 8) return take_digits(text, 8, 3);
  const char letter = text.front();
  text.remove_prefix(1);
  if (letter == 'x' && !text.empty() && digit_value(text.front()) < 16) {
    return take_digits(text, 16, 2);
  }
  const std::size_t found = std::string_view{"bfnrtv"}.find(letter);
  return found == std::string_view::npos ? letter : "\b\f\n\r\t\v"[found];
}

/// The fields of a row, byte by byte; nothing if it is malformed.
std::optional<std::vector<Field>> split(std::string_view row) {
  if (row.ends_with('\n')) row.remove_suffix(1);
  if (row == "\\." || row.find('\0') != std::string_view::npos) return {};
  std::vector<Field> fields;
  std::string text;
  std::string_view raw = row;
  const auto end_field = [&] {
    const std::size_t size = raw.size() - row.size();
    fields.push_back(raw.substr(0, size) == "\\N" ? Field{} : Field{text});
    text.clear();
  };
  while (!row.empty()) {
    const char byte = row.front();
    if (byte == '\t') end_field();
    row.remove_prefix(1);
    if (byte == '\t') raw = row;
    if (byte == '\\' && row.empty()) return {};
    if (byte != '\t') text.push_back(byte == '\\' ? take_escaped(row) : byte);
    if (!text.empty() && text.back() == '\0') return {};
  }
  end_field();
  return fields;
}

/// Writes the row, reads it back, and compares.
void check_round_trip(const std::vector<Value>& fields) {
  freshet::Arena arena{4096};
  std::string written = "before";
  FRESHET_CHECK(freshet::append_copy_row(fields, written).ok());
  std::vector<Value> again(fields.size());
  const std::string_view row = std::string_view{written}.substr(6);
  FRESHET_CHECK(freshet::split_copy_row(row, again, arena).ok());
  for (std::size_t i = 0; i < fields.size(); ++i)
    FRESHET_CHECK(is_same(fields[i], again[i]));
}

void fuzz_row(std::string_view row, std::size_t field_count) {
  freshet::Arena arena{4096};
  std::vector<Value> fields(field_count);
  const auto expected = split(row);
  const bool is_empty = row.empty() || row == "\n";
  const bool fits = field_count == 0 ? is_empty : expected && expected->size() == field_count;
  const freshet::Status status = freshet::split_copy_row(row, fields, arena);
  FRESHET_CHECK(status.ok() == fits);
  if (!status.ok()) {
    FRESHET_CHECK(status.error().kind() == freshet::ErrorKind::protocol);
    return;
  }
  for (std::size_t i = 0; i < field_count; ++i) {
    const Field& field = (*expected)[i];
    FRESHET_CHECK(is_same(fields[i], field ? Value::text(*field) : Value::null()));
  }
  check_round_trip(fields);
}

/// Field by field: a byte for its kind, then its text up to a zero byte.
void fuzz_values(std::string_view bytes) {
  std::vector<Value> fields;
  bool is_writable = true;
  while (!bytes.empty()) {
    const auto kind = static_cast<ValueKind>(static_cast<unsigned char>(bytes.front()) % 4);
    bytes.remove_prefix(1);
    const std::string_view text = bytes.substr(0, bytes.find('\0'));
    bytes.remove_prefix(std::min(text.size() + 1, bytes.size()));
    fields.push_back(kind == ValueKind::null ? Value::null() : Value::text(text));
    fields.back().kind = kind;
    is_writable = is_writable && (kind == ValueKind::text || kind == ValueKind::null);
  }
  if (is_writable) return check_round_trip(fields);
  std::string written = "before";
  const freshet::Status status = freshet::append_copy_row(fields, written);
  FRESHET_CHECK(!status.ok() && status.error().kind() == freshet::ErrorKind::data);
  FRESHET_CHECK(written == "before");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  freshet::testing::FuzzInput in{data, size};
  const unsigned choice = in.byte();
  // Copies of exactly that size: the address sanitizer sees a read past the end.
  const std::string_view rest = in.rest();
  const std::vector<char> bytes{rest.begin(), rest.end()};
  if ((choice & 16) != 0) {
    fuzz_values({bytes.data(), bytes.size()});
  } else {
    fuzz_row({bytes.data(), bytes.size()}, choice % 16);
  }
  return 0;
}
