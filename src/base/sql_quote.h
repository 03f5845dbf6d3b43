// The one place where names and literals become SQL text (PostgreSQL dialect).
#pragma once

#include <string>
#include <string_view>

#include "freshet/schema.h"

namespace freshet {

/// `"name"`, always quoted, inner quotes doubled. NUL bytes end the name, as they would at the
/// server.
std::string quote_identifier(std::string_view name);
/// `"schema"."table"`.
std::string quote_identifier(const TableName& name);
/// `'text'`, or ` E'text'` where it has a backslash, so that standard_conforming_strings is moot.
std::string quote_literal(std::string_view text);
/// A condition that holds for the rows whose key is within `bounds`; `true` for open ones.
std::string key_condition(const KeyBounds& bounds);

}  // namespace freshet
