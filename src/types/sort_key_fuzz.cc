// Fuzzes sort keys against a model that compares digits as text: which schemas have keys, which
// values are keys, how two keys compare, and what they are decoded to.
// Covers: types/sort_key.cc

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/testing/fuzz_input.h"
#include "base/try.h"
#include "types/date_time.h"
#include "types/sort_key.h"

namespace {

using freshet::testing::FuzzInput;

constexpr freshet::Oid kUuid{2950};
constexpr freshet::Oid kDate{1082};
constexpr freshet::Oid kTimestamp{1114};
constexpr freshet::Oid kTimestamptz{1184};
constexpr freshet::Oid kText{25};
constexpr freshet::Oid kTypes[] = {freshet::Oid{20},
                                   freshet::Oid{21},
                                   freshet::Oid{23},
                                   kUuid,
                                   kDate,
                                   kTimestamp,
                                   kTimestamptz,
                                   kText};
constexpr unsigned kTypesWithOrder = std::size(kTypes) - 1;
constexpr freshet::ReplicaIdentity kIdentities[] = {
    freshet::ReplicaIdentity::standard, freshet::ReplicaIdentity::full,
    freshet::ReplicaIdentity::nothing, freshet::ReplicaIdentity::index};

/// What PostgreSQL prints for an integer of 64 bits; nothing if it is none.
std::optional<std::string> canonical_integer(std::string_view text) {
  const bool is_negative = text.starts_with('-');
  if (is_negative) text.remove_prefix(1);
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) return {};
  text.remove_prefix(std::min(text.find_first_not_of('0'), text.size() - 1));
  const std::string_view most = is_negative ? "9223372036854775808" : "9223372036854775807";
  if (text.size() > most.size() || (text.size() == most.size() && text > most)) return {};
  return (is_negative && text != "0" ? "-" : "") + std::string{text};
}

std::optional<std::string> canonical_uuid(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    if (c == '-') continue;
    digits.push_back(c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c);
  }
  const bool is_hex = digits.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!is_hex || digits.size() != 32) return {};
  for (const std::size_t place : {20U, 16U, 12U, 8U})
    digits.insert(place, "-");
  return digits;
}

bool is_time(freshet::Oid type) {
  return type == kDate || type == kTimestamp || type == kTimestamptz;
}

/// Dates and times have a fuzz target of their own.
std::optional<std::int64_t> time_number(freshet::Oid type, std::string_view text) {
  return type == kDate ? freshet::parse_date(text) : freshet::parse_timestamp(text);
}

std::optional<std::string> canonical_time(freshet::Oid type, std::string_view text) {
  const auto number = time_number(type, text);
  if (!number) return {};
  return type == kDate ? freshet::date_text(*number)
                       : freshet::timestamp_text(*number, type == kTimestamptz);
}

std::optional<std::string> canonical(freshet::Oid type, std::string_view text) {
  if (is_time(type)) return canonical_time(type, text);
  return type == kUuid ? canonical_uuid(text) : canonical_integer(text);
}

/// Of a value in binary form.
std::optional<std::string> canonical_binary(freshet::Oid type, std::string_view bytes) {
  std::uint64_t bits = 0;
  std::string hex;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    bits = bits << 8 | byte;
    hex += {"0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15]};
  }
  const std::size_t size = bytes.size();
  if (type == kUuid) return size == 16 ? canonical_uuid(hex) : std::nullopt;
  if (size != 2 && size != 4 && size != 8) return {};
  const std::size_t unused = 64 - 8 * size;
  const auto number = static_cast<std::int64_t>(bits << unused) >> unused;
  if (!is_time(type)) return std::to_string(number);
  if (size != (type == kDate ? 4U : 8U)) return {};
  return type == kDate ? freshet::date_text(number)
                       : freshet::timestamp_text(number, type == kTimestamptz);
}

/// Of two canonical values: below zero, zero or above.
int compare(freshet::Oid type, std::string_view a, std::string_view b) {
  if (type == kUuid) return a.compare(b);
  if (is_time(type)) {
    const auto difference = *time_number(type, a) <=> *time_number(type, b);
    return difference < 0 ? -1 : difference > 0 ? 1 : 0;
  }
  const bool is_negative = a.starts_with('-');
  if (is_negative != b.starts_with('-')) return is_negative ? -1 : 1;
  int magnitude = a.compare(b);
  if (a.size() != b.size()) magnitude = a.size() < b.size() ? -1 : 1;
  return is_negative ? -magnitude : magnitude;
}

freshet::TableSchema make_schema(FuzzInput& in) {
  freshet::TableSchema schema;
  schema.identity = kIdentities[in.below(8) < 5 ? 0 : in.below(4)];
  const bool is_plain = in.below(4) != 0;  // Else the places may have gaps, or be taken twice.
  const std::size_t count = 1 + in.below(4);
  for (std::size_t i = 0; i < count; ++i) {
    freshet::Column& column = schema.columns.emplace_back();
    column.name = std::string(1, static_cast<char>('a' + i));
    column.type = kTypes[in.below(is_plain ? kTypesWithOrder : std::size(kTypes))];
    column.primary_key_place = static_cast<std::int16_t>(is_plain ? count - i : in.below(4));
  }
  return schema;
}

/// Indexes of the key's columns, in its order; nothing where no codec is to be expected.
std::optional<std::vector<std::size_t>> key_columns(const freshet::TableSchema& schema) {
  std::vector<std::size_t> found;
  for (int place = 1; place <= 4; ++place) {
    for (std::size_t i = 0; i < schema.columns.size(); ++i) {
      if (schema.columns[i].primary_key_place != place) continue;
      if (found.size() + 1 != static_cast<std::size_t>(place)) return {};
      if (schema.columns[i].type == kText) return {};
      found.push_back(i);
    }
  }
  const bool has_old_key = schema.identity == freshet::ReplicaIdentity::standard ||
                           schema.identity == freshet::ReplicaIdentity::full;
  if (found.empty() || !has_old_key) return {};
  return found;
}

std::string make_value(FuzzInput& in) {
  switch (in.below(6)) {
    case 0:
      return std::to_string(static_cast<std::int64_t>(in.integer()));
    case 3:
      return freshet::date_text(in.byte() - 128);
    case 4:
      return freshet::timestamp_text(static_cast<std::int64_t>(in.integer() >> 4), in.flip());
    case 1:
      return std::to_string(in.byte() - 128);
    case 2: {
      std::string digits;
      for (int i = 0; i < 32; ++i)
        digits.push_back("0123456789abcdefABCDEF"[in.below(22)]);
      return digits.insert(in.below(32), "-");
    }
    default:
      return std::string{in.take(in.below(40))};
  }
}

/// Dates and times within what there is of them: the server sends no others.
std::string make_binary(FuzzInput& in, freshet::Oid type) {
  std::string bytes{in.take(in.below(18))};
  const bool is_of_size = bytes.size() == (type == kDate ? 4 : 8);
  if (!is_time(type) || !is_of_size) return bytes;
  std::int64_t number = in.byte() - 128;
  if (type != kDate) number = static_cast<std::int64_t>(in.integer() >> 4);
  for (std::size_t i = bytes.size(); i-- > 0; number >>= 8)
    bytes[i] = static_cast<char>(number & 0xff);
  return bytes;
}

struct Key {
  std::vector<std::string> values;  ///< Canonical.
  freshet::SortKey bytes;
};

/// Encodes a row that the input makes up, and holds the result against the model.
std::optional<Key> encode(FuzzInput& in,
                          const freshet::SortKeyCodec& codec,
                          const freshet::TableSchema& schema,
                          const std::vector<std::size_t>& columns) {
  std::vector<std::string> texts(schema.columns.size());
  std::vector<freshet::Value> row(schema.columns.size());
  for (std::size_t i = 0; i < row.size(); ++i) {
    texts[i] = make_value(in);
    row[i] = freshet::Value::text(texts[i]);
    const unsigned kind = in.byte();
    if (kind < 16 && kind % 4 == static_cast<unsigned>(freshet::ValueKind::binary)) {
      texts[i] = make_binary(in, schema.columns[i].type);
      row[i] = freshet::Value::text(texts[i]);
      row[i].kind = freshet::ValueKind::binary;
    } else if (kind < 4) {
      row[i].kind = static_cast<freshet::ValueKind>(kind);
    }
  }
  std::optional<Key> key{std::in_place};
  std::vector<std::string> values;
  for (const std::size_t column : columns) {
    const freshet::Oid type = schema.columns[column].type;
    const bool is_text = row[column].kind == freshet::ValueKind::text;
    const bool is_binary = row[column].kind == freshet::ValueKind::binary;
    const auto value = is_text     ? canonical(type, texts[column])
                       : is_binary ? canonical_binary(type, texts[column])
                                   : std::nullopt;
    values.push_back(is_text ? texts[column] : value.value_or(""));
    if (!value) key.reset();
    if (key) key->values.push_back(*value);
  }
  const auto places = codec.places_in(schema);
  FRESHET_CHECK(places.has_value());
  freshet::SortKey bytes = "left over";
  const freshet::Status status = codec.encode(row, *places, bytes);
  const auto again = codec.encode(values);
  FRESHET_CHECK(status.ok() == key.has_value() && again.ok() == key.has_value());
  if (!key) {
    FRESHET_CHECK(status.error().kind() == freshet::ErrorKind::data);
    return {};
  }
  FRESHET_CHECK(bytes == *again && codec.decode(bytes) == key->values);
  key->bytes = std::move(bytes);
  return key;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzInput in{data, size};
  const freshet::TableSchema schema = make_schema(in);
  const auto codec = freshet::SortKeyCodec::of(schema);
  const auto columns = key_columns(schema);
  FRESHET_CHECK(codec.has_value() == columns.has_value());
  if (!codec) return 0;
  freshet::TableSchema other = schema;
  other.columns[(*columns)[0]].name = "renamed";
  FRESHET_CHECK(!codec->places_in(other).has_value());
  FRESHET_CHECK(!codec->encode(std::vector<std::string>(columns->size() + 1, "0")).ok());

  const auto a = encode(in, *codec, schema, *columns);
  const auto b = encode(in, *codec, schema, *columns);
  if (!a || !b) return 0;
  int order = 0;
  for (std::size_t i = 0; i < columns->size() && order == 0; ++i) {
    order = compare(schema.columns[(*columns)[i]].type, a->values[i], b->values[i]);
  }
  FRESHET_CHECK(a->bytes.size() == b->bytes.size());
  FRESHET_CHECK((a->bytes < b->bytes) == (order < 0) && (a->bytes == b->bytes) == (order == 0));
  return 0;
}
