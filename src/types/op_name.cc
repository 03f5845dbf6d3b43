#include "types/op_name.h"

#include <array>
#include <utility>

namespace freshet {
namespace {

constexpr std::array<std::pair<Op, std::string_view>, 4> kOps{{{Op::insert, "insert"},
                                                               {Op::update, "update"},
                                                               {Op::remove, "delete"},
                                                               {Op::upsert, "upsert"}}};

}  // namespace

std::string_view to_string(Op op) noexcept {
  for (const auto& [known, name] : kOps) {
    if (known == op) return name;
  }
  return {};
}

std::optional<Op> parse_op(std::string_view text) noexcept {
  for (const auto& [known, name] : kOps) {
    if (name == text) return known;
  }
  return {};
}

}  // namespace freshet
