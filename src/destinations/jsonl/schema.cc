#include "destinations/jsonl/schema.h"

#include <utility>

#include "base/sql_quote.h"
#include "base/try.h"
#include "destinations/jsonl/json_text.h"
#include "types/op_name.h"

namespace freshet {
namespace {

std::string table_name_part(const std::string& part) {
  const bool is_plain = !part.empty() && part.find_first_of(".\"") == std::string::npos;
  return is_plain ? part : quote_identifier(part);
}

// The new row's value; where it was not sent, the old row's if that has it.
const Value& after_value(const Change& change, std::size_t column, bool is_identity) {
  const Value& value = change.after[column];
  const bool has_old =
      change.old_row == OldRow::full || (change.old_row == OldRow::key && is_identity);
  return value.is_unchanged() && has_old && column < change.before.size() ? change.before[column]
                                                                          : value;
}

bool fits(const RowView& row, std::size_t columns) {
  return row.empty() || row.size() == columns;
}

}  // namespace

std::string jsonl_table_name(const TableName& name) {
  return table_name_part(name.schema) + "." + table_name_part(name.table);
}

std::string jsonl_table_json(const TableName& name) {
  std::string json;
  if (!append_json_string(json, jsonl_table_name(name))) json = "\"?\"";
  return json;
}

Result<JsonlTable> JsonlTable::make(SchemaPtr schema) {
  JsonlTable table(std::move(schema));
  const TableSchema& source = *table.schema_;
  table.table_json_ = jsonl_table_json(source.name);
  for (std::size_t i = 0; i < source.columns.size(); ++i) {
    const Column& column = source.columns[i];
    std::string key;
    if (!append_json_string(key, column.name)) {
      return Error{ErrorKind::schema, "a column's name is not UTF-8"}.with("table",
                                                                           to_string(source.name));
    }
    table.columns_.push_back({.json_key = key + ":", .form = json_form(column)});
    if (column.is_identity) table.identity_.push_back(i);
    // Under FULL every column is identity; the primary key still tells the row, if there is one.
    if (source.has_key() ? column.is_identity : column.primary_key_place > 0)
      table.key_.push_back(i);
  }
  return table;
}

void JsonlTable::append_start(std::string& out, std::string_view op) const {
  out += R"({"op":")";
  out += op;
  out += R"(","table":)";
  out += table_json_;
}

Status JsonlTable::append_member(std::string& out,
                                 std::size_t column,
                                 const Value& value,
                                 bool& is_first) const {
  if (value.is_unchanged()) return ok_status();
  if (!is_first) out += ',';
  is_first = false;
  out += columns_[column].json_key;
  Status status = append_json_value(out, columns_[column].form, value);
  if (!status.ok()) {
    status.error().add("table", to_string(schema_->name));
    status.error().add("column", schema_->columns[column].name);
  }
  return status;
}

Status JsonlTable::append_key(std::string& out, const Change& change) const {
  out += R"(,"key":)";
  if (key_.empty()) {
    out += "null";
    return ok_status();
  }
  out += '{';
  bool is_first = true;
  for (const std::size_t i : key_) {
    const Value& value = !change.before.empty()
                             ? change.before[i]
                             : after_value(change, i, schema_->columns[i].is_identity);
    FRESHET_TRY(append_member(out, i, value, is_first));
  }
  out += '}';
  return ok_status();
}

Status JsonlTable::append_before(std::string& out, const Change& change) const {
  if (change.before.empty() || change.old_row == OldRow::none) {
    out += R"(,"before":null,"before_is":null)";
    return ok_status();
  }
  out += R"(,"before":{)";
  bool is_first = true;
  if (change.old_row == OldRow::key) {
    for (const std::size_t i : identity_) {
      FRESHET_TRY(append_member(out, i, change.before[i], is_first));
    }
    out += R"(},"before_is":"key")";
    return ok_status();
  }
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    FRESHET_TRY(append_member(out, i, change.before[i], is_first));
  }
  out += R"(},"before_is":"full")";
  return ok_status();
}

Status JsonlTable::append_after(std::string& out, const Change& change) const {
  out += R"(,"after":)";
  if (change.after.empty()) {
    out += "null";
    return ok_status();
  }
  out += '{';
  bool is_first = true;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const Value& value = after_value(change, i, schema_->columns[i].is_identity);
    FRESHET_TRY(append_member(out, i, value, is_first));
  }
  out += '}';
  return ok_status();
}

void JsonlTable::append_unchanged(std::string& out, const Change& change) const {
  out += R"(,"unchanged":[)";
  bool is_first = true;
  for (std::size_t i = 0; i < change.after.size(); ++i) {
    if (!after_value(change, i, schema_->columns[i].is_identity).is_unchanged()) continue;
    if (!is_first) out += ',';
    is_first = false;
    out.append(columns_[i].json_key, 0, columns_[i].json_key.size() - 1);
  }
  out += ']';
}

Status JsonlTable::append_change(std::string& out, const Change& change) const {
  FRESHET_CHECK(fits(change.before, columns_.size()) && fits(change.after, columns_.size()));
  append_start(out, to_string(change.op));
  FRESHET_TRY(append_key(out, change));
  FRESHET_TRY(append_before(out, change));
  FRESHET_TRY(append_after(out, change));
  append_unchanged(out, change);
  out += R"(,"lsn":)";
  append_json_lsn(out, change.lsn);
  out += R"(,"commit_lsn":)";
  append_json_lsn(out, change.id.commit);
  out += R"(,"ordinal":)";
  append_decimal(out, change.id.ordinal);
  out += R"(,"committed_at":)";
  if (change.transaction == nullptr) {
    out += "null";
  } else {
    append_json_time(out, change.transaction->committed_at);
  }
  out += "}\n";
  return ok_status();
}

Status JsonlTable::append_copied(std::string& out,
                                 const Change& change,
                                 std::uint32_t range) const {
  FRESHET_CHECK(change.before.empty() && change.after.size() == columns_.size());
  append_start(out, "copy");
  out += R"(,"range":)";
  append_decimal(out, range);
  FRESHET_TRY(append_key(out, change));
  FRESHET_TRY(append_after(out, change));
  out += "}\n";
  return ok_status();
}

Status JsonlTable::append_schema(std::string& out) const {
  append_start(out, "schema");
  out += R"(,"columns":[)";
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const Column& column = schema_->columns[i];
    if (i > 0) out += ',';
    out += R"({"name":)";
    out.append(columns_[i].json_key, 0, columns_[i].json_key.size() - 1);
    out += R"(,"type":)";
    if (!append_json_string(out, column.type_sql)) out += "null";
    out += R"(,"missing":)";
    const Value missing = column.missing_value ? Value::text(*column.missing_value) : Value::null();
    FRESHET_TRY(append_json_value(out, columns_[i].form, missing));
    out += '}';
  }
  out += "]}\n";
  return ok_status();
}

}  // namespace freshet
