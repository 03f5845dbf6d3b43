#include "transforms/embed/vector_text.h"

#include <charconv>

namespace freshet {

void append_vector_text(std::span<const float> vector, std::string& out) {
  // Enough for a sign, 9 digits, a point and an exponent, or 39 digits without one, and a comma.
  constexpr std::size_t kFloatBytesMax = 48;
  const std::size_t start = out.size();
  out.resize(start + 2 + vector.size() * kFloatBytesMax);
  char* at = out.data() + start;
  *at++ = '[';
  for (const float value : vector) {
    at = std::to_chars(at, at + kFloatBytesMax, value).ptr;
    *at++ = ',';
  }
  if (!vector.empty()) --at;
  *at++ = ']';
  out.resize(static_cast<std::size_t>(at - out.data()));
}

}  // namespace freshet
