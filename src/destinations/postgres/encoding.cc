#include "destinations/postgres/encoding.h"

#include "base/big_endian.h"

namespace freshet::postgres {
namespace {

constexpr std::uint32_t kTextOid = 25;
constexpr std::size_t kArrayHeaderBytes = 20;

}  // namespace

void TextArray::clear() {
  bytes_.assign(kArrayHeaderBytes, '\0');
  count_ = 0;
  has_null_ = false;
}

void TextArray::add(const Value& value) {
  ++count_;
  if (value.is_null()) {
    has_null_ = true;
    append_big_endian(bytes_, 0xFFFFFFFFU);
    return;
  }
  append_big_endian(bytes_, value.size);
  bytes_.append(value.data, value.size);
}

pg::Parameter TextArray::parameter() {
  std::string header;
  append_big_endian(header, 1U);
  append_big_endian(header, has_null_ ? 1U : 0U);
  append_big_endian(header, kTextOid);
  append_big_endian(header, count_);
  append_big_endian(header, 1U);
  bytes_.replace(0, kArrayHeaderBytes, header);
  return {bytes_.data(), static_cast<int>(bytes_.size()), true};
}

void TextParameters::clear() {
  bytes_.clear();
  places_.clear();
}

void TextParameters::add(const Value& value) {
  if (value.is_null()) {
    places_.push_back({.is_null = true});
    return;
  }
  places_.push_back({.start = bytes_.size(), .size = static_cast<int>(value.size)});
  bytes_.append(value.data, value.size);
  bytes_.push_back('\0');
}

void TextParameters::add_in_place(const Value& value) {
  if (value.is_null() || value.size == 0) return add(value);
  places_.push_back({.size = static_cast<int>(value.size), .in_place = value.data});
}

std::span<const pg::Parameter> TextParameters::parameters() {
  parameters_.clear();
  for (const Place& place : places_) {
    const char* const copy = place.is_null ? nullptr : bytes_.data() + place.start;
    const bool is_in_place = place.in_place != nullptr;
    parameters_.push_back({is_in_place ? place.in_place : copy, place.size, is_in_place});
  }
  return parameters_;
}

}  // namespace freshet::postgres
