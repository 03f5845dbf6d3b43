#include "destinations/jsonl/encoding.h"

#include <string_view>

#include "destinations/jsonl/json_text.h"

namespace freshet {
namespace {

constexpr Oid kBool{16};
constexpr Oid kInt2{21};
constexpr Oid kInt4{23};
constexpr Oid kOid{26};
constexpr Oid kFloat4{700};
constexpr Oid kFloat8{701};
constexpr Oid kJson{114};
constexpr Oid kJsonb{3802};

// `public.vector(256)` → `vector`.
std::string_view bare_type_name(std::string_view type_sql) {
  type_sql = type_sql.substr(0, type_sql.find('('));
  const std::size_t dot = type_sql.rfind('.');
  return dot == std::string_view::npos ? type_sql : type_sql.substr(dot + 1);
}

bool is_made_of(std::string_view text, std::string_view alphabet) {
  return !text.empty() && text.find_first_not_of(alphabet) == std::string_view::npos;
}

// Raw control characters in valid JSON are white space, and a line break would end our line.
void append_on_one_line(std::string& out, std::string_view json) {
  for (const char c : json)
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
}

Status append_string(std::string& out, std::string_view text) {
  if (append_json_string(out, text)) return ok_status();
  return Error{ErrorKind::data, "a value is not UTF-8 and cannot be written as JSON"};
}

}  // namespace

JsonForm json_form(const Column& column) {
  switch (to_integer(column.type)) {
    case to_integer(kBool):
      return JsonForm::boolean;
    case to_integer(kInt2):
    case to_integer(kInt4):
    case to_integer(kOid):
      return JsonForm::integer;
    case to_integer(kFloat4):
    case to_integer(kFloat8):
      return JsonForm::floating;
    case to_integer(kJson):
    case to_integer(kJsonb):
      return JsonForm::json;
    default:
      break;
  }
  const std::string_view name = bare_type_name(column.type_sql);
  const bool is_array = column.type_sql.ends_with("[]");
  return !is_array && (name == "vector" || name == "halfvec") ? JsonForm::vector : JsonForm::string;
}

Status append_json_value(std::string& out, JsonForm form, const Value& value) {
  if (value.is_null()) {
    out += "null";
    return ok_status();
  }
  if (value.kind != ValueKind::text) {
    return Error{ErrorKind::unsupported, "binary values cannot be written as JSON lines"};
  }
  const std::string_view text = value.view();
  switch (form) {
    case JsonForm::boolean:
      if (text != "t" && text != "f") return append_string(out, text);
      out += text == "t" ? "true" : "false";
      return ok_status();
    case JsonForm::integer:
      if (!is_made_of(text, "-0123456789")) return append_string(out, text);
      out += text;
      return ok_status();
    case JsonForm::floating:
      if (!is_made_of(text, "-+.e0123456789")) return append_string(out, text);
      out += text;
      return ok_status();
    case JsonForm::vector:
      if (!is_made_of(text, "[],-+.e0123456789")) return append_string(out, text);
      out += text;
      return ok_status();
    case JsonForm::json:
      append_on_one_line(out, text);
      return ok_status();
    case JsonForm::string:
      return append_string(out, text);
  }
  return ok_status();
}

}  // namespace freshet
