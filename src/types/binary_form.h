// What is known of types by the binary form of their values alone.
#pragma once

#include <algorithm>
#include <iterator>

#include "freshet/row.h"
#include "freshet/schema.h"

namespace freshet {

/// True for types whose binary form is their text: text, varchar, char(n), name, json, xml.
constexpr bool is_text_in_binary(Oid type) noexcept {
  constexpr Oid kTypes[] = {Oid{25}, Oid{1043}, Oid{1042}, Oid{19}, Oid{114}, Oid{142}};
  return std::find(std::begin(kTypes), std::end(kTypes), type) != std::end(kTypes);
}

/// The kind of such a value, whichever way it was sent.
constexpr ValueKind kind_of(const Value& value, Oid type) noexcept {
  return value.kind == ValueKind::binary && is_text_in_binary(type) ? ValueKind::text : value.kind;
}

}  // namespace freshet
