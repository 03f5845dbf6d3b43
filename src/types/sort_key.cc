#include "types/sort_key.h"

#include <charconv>

#include "base/big_endian.h"
#include "base/try.h"
#include "types/date_time.h"
#include "types/primary_key.h"

namespace freshet {
namespace {

constexpr std::uint64_t kSignBit = std::uint64_t{1} << 63;
constexpr std::size_t kNumberBytes = 8;
constexpr std::size_t kUuidBytes = 16;
constexpr std::string_view kHexDigits = "0123456789abcdef";

int hex_value(char digit) {
  const auto found =
      kHexDigits.find(digit >= 'A' && digit <= 'F' ? static_cast<char>(digit - 'A' + 'a') : digit);
  return found == std::string_view::npos ? -1 : static_cast<int>(found);
}

// Two's complement with the sign flipped, most significant byte first.
void append_number(std::int64_t number, SortKey& key) {
  append_big_endian(key, static_cast<std::uint64_t>(number) ^ kSignBit);
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || stop != text.data() + text.size()) return {};
  return number;
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
std::optional<std::int64_t> read_number(std::string_view bytes) {
  switch (bytes.size()) {
    case sizeof(std::int16_t):
      return static_cast<std::int16_t>(read_big_endian<std::uint16_t>(bytes.data()));
    case sizeof(std::int32_t):
      return static_cast<std::int32_t>(read_big_endian<std::uint32_t>(bytes.data()));
    case sizeof(std::int64_t):
      return static_cast<std::int64_t>(read_big_endian<std::uint64_t>(bytes.data()));
    default:
      return {};
  }
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

std::optional<SortKeyCodec::Form> SortKeyCodec::form_of(Oid type) {
  switch (to_integer(type)) {
    case 20:
    case 21:
    case 23:
      return Form::integer;
    case 1082:
      return Form::date;
    case 1114:
      return Form::timestamp;
    case 1184:
      return Form::timestamptz;
    case 2950:
      return Form::uuid;
    default:
      return {};
  }
}

std::optional<SortKeyCodec> SortKeyCodec::of(const TableSchema& schema) {
  const std::vector<const Column*> key = primary_key_columns(schema);
  const bool is_in_old_tuples =
      schema.identity == ReplicaIdentity::standard || schema.identity == ReplicaIdentity::full;
  if (key.empty() || !is_in_old_tuples) return {};
  SortKeyCodec codec;
  for (std::size_t i = 0; i < key.size(); ++i) {
    // A gap: one of the key's columns is not among those that are replicated.
    if (key[i]->primary_key_place != static_cast<std::int16_t>(i + 1)) return {};
    const std::optional<Form> form = form_of(key[i]->type);
    if (!form) return {};
    codec.columns_.push_back(key[i]->name);
    codec.forms_.push_back(*form);
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

bool SortKeyCodec::append_text(Form form, std::string_view text, SortKey& key) {
  if (form == Form::uuid) return append_uuid(text, key);
  const std::optional<std::int64_t> number = form == Form::integer ? parse_integer(text)
                                             : form == Form::date  ? parse_date(text)
                                                                   : parse_timestamp(text);
  if (number) append_number(*number, key);
  return number.has_value();
}

bool SortKeyCodec::append_binary(Form form, std::string_view bytes, SortKey& key) {
  if (form == Form::uuid) {
    key += bytes;
    return bytes.size() == kUuidBytes;
  }
  const bool is_of_size = form == Form::integer || bytes.size() == (form == Form::date ? 4 : 8);
  const std::optional<std::int64_t> number = is_of_size ? read_number(bytes) : std::nullopt;
  if (number) append_number(*number, key);
  return number.has_value();
}

std::string SortKeyCodec::text_of(Form form, std::string_view bytes) {
  if (form == Form::uuid) return uuid_text(bytes);
  const auto number =
      static_cast<std::int64_t>(read_big_endian<std::uint64_t>(bytes.data()) ^ kSignBit);
  if (form == Form::integer) return std::to_string(number);
  if (form == Form::date) return date_text(number);
  return timestamp_text(number, form == Form::timestamptz);
}

Status SortKeyCodec::append(const Value& value, std::size_t column, SortKey& key) const {
  const Form form = forms_[column];
  const bool is_read = (value.kind == ValueKind::text && append_text(form, value.view(), key)) ||
                       (value.kind == ValueKind::binary && append_binary(form, value.view(), key));
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
    const std::size_t size = form == Form::uuid ? kUuidBytes : kNumberBytes;
    values.push_back(text_of(form, key.substr(0, size)));
    key.remove_prefix(size);
  }
  return values;
}

}  // namespace freshet
