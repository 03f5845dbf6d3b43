#include "destinations/postgres/encoding.h"

#include <algorithm>

#include "base/big_endian.h"

namespace freshet::postgres {
namespace {

constexpr Oid kText{25};
constexpr std::size_t kArrayHeaderBytes = 20;
constexpr std::size_t kElementTypeAt = 8;
constexpr std::size_t kArrayBytesMin = 12;  // one without elements ends after the type

}  // namespace

void set_element_type(std::span<char> array, Oid element) {
  if (element == Oid{0} || array.size() < kArrayBytesMin) return;
  std::string bytes;
  append_big_endian(bytes, to_integer(element));
  std::copy(bytes.begin(), bytes.end(), array.begin() + kElementTypeAt);
}

void ValueArray::clear() {
  bytes_.assign(kArrayHeaderBytes, '\0');
  count_ = 0;
  type_ = kText;
  has_null_ = false;
}

void ValueArray::add(const Value& value, const BinaryForm& form) {
  add(value);
  if (value.is_null()) return;
  type_ = form.type;
  set_element_type(std::span{bytes_}.last(value.size), form.element);
}

void ValueArray::add(const Value& value) {
  ++count_;
  if (value.is_null()) {
    has_null_ = true;
    append_big_endian(bytes_, 0xFFFFFFFFU);
    return;
  }
  append_big_endian(bytes_, value.size);
  bytes_.append(value.data, value.size);
}

pg::Parameter ValueArray::parameter() {
  std::string header;
  append_big_endian(header, 1U);
  append_big_endian(header, has_null_ ? 1U : 0U);
  append_big_endian(header, to_integer(type_));
  append_big_endian(header, count_);
  append_big_endian(header, 1U);
  bytes_.replace(0, kArrayHeaderBytes, header);
  return {bytes_.data(), static_cast<int>(bytes_.size()), true};
}

void RowParameters::clear() {
  bytes_.clear();
  places_.clear();
}

void RowParameters::add(const Value& value) {
  if (value.is_null()) {
    places_.push_back({.is_null = true});
    return;
  }
  places_.push_back({.start = bytes_.size(), .size = static_cast<int>(value.size)});
  bytes_.append(value.data, value.size);
  bytes_.push_back('\0');
}

void RowParameters::add_in_place(const Value& value) {
  if (value.is_null() || value.size == 0) return add(value);
  places_.push_back(
      {.size = static_cast<int>(value.size), .in_place = value.data, .is_binary = true});
}

void RowParameters::add(const Value& value, const BinaryForm& form) {
  if (value.is_null()) return add(value);
  Place place{.start = bytes_.size(), .size = static_cast<int>(value.size), .is_binary = true};
  if (form.element == Oid{0} && value.size > 0) {
    place.in_place = value.data;
  } else {
    bytes_.append(value.data, value.size);
    set_element_type(std::span{bytes_}.last(value.size), form.element);
  }
  places_.push_back(place);
}

std::span<const pg::Parameter> RowParameters::parameters() {
  parameters_.clear();
  for (const Place& place : places_) {
    const char* const copy = place.is_null ? nullptr : bytes_.data() + place.start;
    parameters_.push_back(
        {place.in_place != nullptr ? place.in_place : copy, place.size, place.is_binary});
  }
  return parameters_;
}

std::string_view binary_copy_header() noexcept {
  // Signature, flags, size of the extension.
  static constexpr char kHeader[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0";
  return {kHeader, sizeof kHeader - 1};
}

std::string_view binary_copy_trailer() noexcept {
  return "\377\377";
}

}  // namespace freshet::postgres
