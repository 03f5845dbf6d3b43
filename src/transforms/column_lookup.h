// What every transform asks of a column: where it is, and its value as text.
#pragma once

#include <cstddef>
#include <string_view>

#include "freshet/result.h"
#include "freshet/row.h"
#include "freshet/schema.h"

namespace freshet {

/// The place of `column`, or an error of kind `config` that names the nearest column there is.
Result<std::size_t> get_column(const TableSchema& schema, std::string_view column);

/// The text of a value that is neither NULL nor unchanged. A value in binary form is text only for
/// the text types; for others the error is of kind `unsupported`.
Result<std::string_view> text_form(const Value& value, const Column& column);

}  // namespace freshet
