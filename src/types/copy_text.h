// PostgreSQL's COPY text format, one row at a time: splits what COPY TO STDOUT sends, and writes
// what COPY FROM STDIN takes. Framing (one row per CopyData message, the end of the data) is not
// its business.
//
//   row    field { TAB field } LF          a table without columns has empty rows
//   field  \N for null, else text in which
//          \b \f \n \r \t \v   are those control characters
//          \o \oo \ooo         is the byte of that octal value
//          \xh \xhh            is the byte of that hexadecimal value
//          \ and another byte  is that byte, so that \\ is a backslash
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "freshet/arena.h"
#include "freshet/result.h"
#include "freshet/row.h"

namespace freshet {

/// Splits one row, with or without its line feed, into exactly `fields.size()` fields. They point
/// into `row`, or into `arena` where something had to be unescaped. Fails with ErrorKind::protocol;
/// the error holds no row data.
Status split_copy_row(std::string_view row, std::span<Value> fields, Arena& arena);

/// Appends `text` with what COPY gives a meaning escaped.
void append_copy_text(std::string_view text, std::string& out);

/// Appends one row and its line feed. Values must be text or null: an unchanged or binary one fails
/// with ErrorKind::data, and `out` is as before.
Status append_copy_row(RowView row, std::string& out);

}  // namespace freshet
