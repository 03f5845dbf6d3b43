// PostgreSQL's text form of arrays, for parameters.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace freshet::source {

/// Builds `{"a","b\"c",NULL}` element by element.
class ArrayLiteral {
 public:
  void add(std::string_view element);
  void add_null();

  /// The array so far.
  std::string text() const { return text_ + "}"; }

 private:
  void separate();
  std::string text_ = "{";
};

std::string array_literal(std::span<const std::string> elements);

}  // namespace freshet::source
