#include "types/sort_key.h"

#include <charconv>

#include "base/big_endian.h"
#include "base/try.h"
#include "types/primary_key.h"

namespace freshet {
namespace {

constexpr std::uint64_t kSignBit = std::uint64_t{1} << 63;
constexpr std::size_t kIntegerBytes = 8;
constexpr std::size_t kUuidBytes = 16;
constexpr std::string_view kHexDigits = "0123456789abcdef";

constexpr bool is_integer(Oid type) {
  return type == Oid{20} || type == Oid{21} || type == Oid{23};
}

constexpr bool is_uuid(Oid type) {
  return type == Oid{2950};
}

int hex_value(char digit) {
  const auto found =
      kHexDigits.find(digit >= 'A' && digit <= 'F' ? static_cast<char>(digit - 'A' + 'a') : digit);
  return found == std::string_view::npos ? -1 : static_cast<int>(found);
}

// Two's complement with the sign flipped, most significant byte first.
void append_number(std::int64_t number, SortKey& key) {
  append_big_endian(key, static_cast<std::uint64_t>(number) ^ kSignBit);
}

bool append_integer(std::string_view text, SortKey& key) {
  std::int64_t number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || stop != text.data() + text.size()) return false;
  append_number(number, key);
  return true;
}

bool append_uuid(std::string_view text, SortKey& key) {
  const std::size_t start = key.size();
  int high = -1;
  for (const char digit : text) {
    if (digit == '-') continue;
    const int value = hex_value(digit);
    if (value < 0) return false;
    if (high < 0) {
      high = value;
      continue;
    }
    key.push_back(static_cast<char>(high * 16 + value));
    high = -1;
  }
  return high < 0 && key.size() - start == kUuidBytes;
}

// Two, four or eight bytes, by the type.
bool append_binary_integer(std::string_view bytes, SortKey& key) {
  std::int64_t number = 0;
  if (bytes.size() == sizeof(std::int16_t)) {
    number = static_cast<std::int16_t>(read_big_endian<std::uint16_t>(bytes.data()));
  } else if (bytes.size() == sizeof(std::int32_t)) {
    number = static_cast<std::int32_t>(read_big_endian<std::uint32_t>(bytes.data()));
  } else if (bytes.size() == sizeof(std::int64_t)) {
    number = static_cast<std::int64_t>(read_big_endian<std::uint64_t>(bytes.data()));
  } else {
    return false;
  }
  append_number(number, key);
  return true;
}

bool append_binary_uuid(std::string_view bytes, SortKey& key) {
  key += bytes;
  return bytes.size() == kUuidBytes;
}

std::string integer_text(std::string_view bytes) {
  const std::uint64_t bits = read_big_endian<std::uint64_t>(bytes.data());
  return std::to_string(static_cast<std::int64_t>(bits ^ kSignBit));
}

std::string uuid_text(std::string_view bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text.push_back('-');
    const auto byte = static_cast<unsigned char>(bytes[i]);
    text.push_back(kHexDigits[byte >> 4]);
    text.push_back(kHexDigits[byte & 0xf]);
  }
  return text;
}

}  // namespace

std::optional<SortKeyCodec> SortKeyCodec::of(const TableSchema& schema) {
  const std::vector<const Column*> key = primary_key_columns(schema);
  const bool is_in_old_tuples =
      schema.identity == ReplicaIdentity::standard || schema.identity == ReplicaIdentity::full;
  if (key.empty() || !is_in_old_tuples) return {};
  SortKeyCodec codec;
  for (std::size_t i = 0; i < key.size(); ++i) {
    // A gap: one of the key's columns is not among those that are replicated.
    if (key[i]->primary_key_place != static_cast<std::int16_t>(i + 1)) return {};
    if (!is_integer(key[i]->type) && !is_uuid(key[i]->type)) return {};
    codec.columns_.push_back(key[i]->name);
    codec.forms_.push_back(is_uuid(key[i]->type) ? Form::uuid : Form::integer);
  }
  return codec;
}

std::optional<std::vector<std::uint16_t>> SortKeyCodec::places_in(const TableSchema& schema) const {
  std::vector<std::uint16_t> places;
  for (const std::string& column : columns_) {
    const int place = schema.find(column);
    if (place < 0) return {};
    places.push_back(static_cast<std::uint16_t>(place));
  }
  return places;
}

Status SortKeyCodec::append(const Value& value, std::size_t column, SortKey& key) const {
  const bool is_uuid = forms_[column] == Form::uuid;
  bool is_read = false;
  if (value.kind == ValueKind::text) {
    is_read = is_uuid ? append_uuid(value.view(), key) : append_integer(value.view(), key);
  } else if (value.kind == ValueKind::binary) {
    is_read =
        is_uuid ? append_binary_uuid(value.view(), key) : append_binary_integer(value.view(), key);
  }
  if (is_read) return ok_status();
  return Error{ErrorKind::data, "a value of the primary key is not of its type"}.with(
      "column", columns_[column]);
}

Status SortKeyCodec::encode(RowView row,
                            std::span<const std::uint16_t> places,
                            SortKey& key) const {
  key.clear();
  for (std::size_t i = 0; i < columns_.size(); ++i)
    FRESHET_TRY(append(row[places[i]], i, key));
  return ok_status();
}

Result<SortKey> SortKeyCodec::encode(std::span<const std::string> values) const {
  SortKey key;
  if (values.size() != columns_.size()) {
    return Error{ErrorKind::data, "a key has another number of values than the primary key"};
  }
  for (std::size_t i = 0; i < values.size(); ++i)
    FRESHET_TRY(append(Value::text(values[i]), i, key));
  return key;
}

std::vector<std::string> SortKeyCodec::decode(std::string_view key) const {
  std::vector<std::string> values;
  for (const Form form : forms_) {
    const std::size_t size = form == Form::uuid ? kUuidBytes : kIntegerBytes;
    const std::string_view bytes = key.substr(0, size);
    values.push_back(form == Form::uuid ? uuid_text(bytes) : integer_text(bytes));
    key.remove_prefix(size);
  }
  return values;
}

}  // namespace freshet
