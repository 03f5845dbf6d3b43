// Values on their way to the server: text[] in binary form, and parameters in text form.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "freshet/row.h"
#include "pg/pipeline_mode.h"

namespace freshet::postgres {

/// Values of one column over many rows as a text[] in binary form: no quoting, no escaping.
///   int32 dimensions (1), int32 has nulls, int32 element type (25), int32 count, int32 lower
///   bound, then for each element int32 size (-1: NULL) and its bytes; big-endian.
class TextArray {
 public:
  TextArray() { clear(); }

  void clear();
  void add(const Value& value);

  std::size_t byte_size() const noexcept { return bytes_.size(); }

  /// A view, valid until the next change.
  pg::Parameter parameter();

 private:
  std::string bytes_;
  std::uint32_t count_ = 0;
  bool has_null_ = false;
};

/// Parameters in text form; owns the NUL-terminated copies that libpq asks for.
class TextParameters {
 public:
  void clear();
  void add(const Value& value);
  /// For a type whose binary form is its text: without a copy. The value must stay where it is
  /// until the parameters were sent.
  void add_in_place(const Value& value);

  void add(std::string_view text) { add(Value::text(text)); }

  /// Valid until the next change.
  std::span<const pg::Parameter> parameters();

 private:
  struct Place {
    std::size_t start = 0;  // in bytes_
    int size = 0;
    const char* in_place = nullptr;  // if it is not there
    bool is_null = false;
  };

  std::string bytes_;
  std::vector<Place> places_;
  std::vector<pg::Parameter> parameters_;
};

}  // namespace freshet::postgres
