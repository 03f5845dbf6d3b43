// Fuzzes the COPY text format: any bytes are split or refused, and what was split is written and
// read back the same. The first byte says into how many fields.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "types/copy_text.h"

namespace {

bool is_same(const freshet::Value& a, const freshet::Value& b) {
  return a.kind == b.kind && a.view() == b.view();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view row{reinterpret_cast<const char*>(data) + 1, size - 1};
  freshet::Arena arena{4096};
  std::vector<freshet::Value> fields(data[0] % 16);
  if (!freshet::split_copy_row(row, fields, arena).ok()) return 0;
  std::string written;
  if (!freshet::append_copy_row(fields, written).ok()) std::abort();
  std::vector<freshet::Value> again(fields.size());
  if (!freshet::split_copy_row(written, again, arena).ok()) std::abort();
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (!is_same(fields[i], again[i])) std::abort();
  }
  return 0;
}
