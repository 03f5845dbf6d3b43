#include "types/op_name.h"

#include "base/enum_names.h"

namespace freshet {
namespace {

constexpr EnumNames<Op, 4> kOps{{{Op::insert, "insert"},
                                 {Op::update, "update"},
                                 {Op::remove, "delete"},
                                 {Op::upsert, "upsert"}}};

}  // namespace

std::string_view to_string(Op op) noexcept {
  return find_name(kOps, op);
}

std::optional<Op> parse_op(std::string_view text) noexcept {
  return find_value(kOps, text);
}

}  // namespace freshet
