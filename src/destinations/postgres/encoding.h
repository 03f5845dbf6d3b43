// Values on their way to the server: columns as arrays in binary form, rows as parameters or as
// tuples of a binary COPY.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "destinations/postgres/binary_form.h"
#include "freshet/row.h"
#include "pg/pipeline_mode.h"

namespace freshet::postgres {

/// Puts `element`, if it is not 0, into an array in its binary form, in place of the number that
/// its elements' type has at the source. What is no array is left as it is.
void set_element_type(std::span<char> array, Oid element);

/// Values of one column over many rows as an array in binary form: no quoting, no escaping.
///   int32 dimensions (1), int32 has nulls, int32 element type, int32 count, int32 lower bound,
///   then for each element int32 size (-1: NULL) and its bytes; big-endian.
class ValueArray {
 public:
  ValueArray() { clear(); }

  /// Empty, of text.
  void clear();
  /// Values are all in one form.
  void add(const Value& value);
  /// The same for values in binary form.
  void add(const Value& value, const BinaryForm& form);

  /// A view, valid until the next change.
  pg::Parameter parameter();

 private:
  std::string bytes_;
  std::uint32_t count_ = 0;
  Oid type_{0};
  bool has_null_ = false;
};

/// Parameters; owns the NUL-terminated copies of texts that libpq asks for.
class RowParameters {
 public:
  void clear();
  void add(const Value& value);
  /// For a type whose binary form is its text: without a copy. The value must stay where it is
  /// until the parameters were sent.
  void add_in_place(const Value& value);
  /// In binary form, mostly without a copy either.
  void add(const Value& value, const BinaryForm& form);

  void add(std::string_view text) { add(Value::text(text)); }

  /// Valid until the next change.
  std::span<const pg::Parameter> parameters();

 private:
  struct Place {
    std::size_t start = 0;  // in bytes_
    int size = 0;
    const char* in_place = nullptr;  // if it is not there
    bool is_binary = false;
    bool is_null = false;
  };

  std::string bytes_;
  std::vector<Place> places_;
  std::vector<pg::Parameter> parameters_;
};

/// What COPY … (FORMAT binary) begins and ends with.
std::string_view binary_copy_header() noexcept;
std::string_view binary_copy_trailer() noexcept;

}  // namespace freshet::postgres
