// How PostgreSQL's text values become JSON. A column's type decides the form, never its values
// (docs/destinations/jsonl.md gives the table).
#pragma once

#include <string>

#include "freshet/result.h"
#include "freshet/row.h"

namespace freshet {

enum class JsonForm : unsigned char {
  string,
  boolean,
  integer,   ///< Of 32 bits or fewer: exact in every JSON reader.
  floating,  ///< A number, or "NaN", "Infinity", "-Infinity" as strings.
  json,      ///< json and jsonb: the text itself.
  vector,    ///< pgvector's vector and halfvec: their text is a JSON array.
};

JsonForm json_form(const Column& column);

/// Appends a value that is not `unchanged`. Errors name no value.
Status append_json_value(std::string& out, JsonForm form, const Value& value);

}  // namespace freshet
