// The lines of one table under one schema: what can be prepared once is.
#pragma once

#include <string>
#include <vector>

#include "destinations/jsonl/encoding.h"
#include "freshet/destination.h"

namespace freshet {

/// `schema.table`, a part with a dot or a quote in it as a quoted SQL identifier, so that two
/// tables never share one name.
std::string jsonl_table_name(const TableName& name);
/// The same as a JSON string.
std::string jsonl_table_json(const TableName& name);

/// Appends lines for the rows of one schema. Keeps the schema alive. One thread.
class JsonlTable {
 public:
  static Result<JsonlTable> make(SchemaPtr schema);

  const SchemaPtr& schema() const noexcept { return schema_; }

  /// Appends the line of a streamed change. On an error `out` ends in half a line.
  Status append_change(std::string& out, const Change& change) const;
  /// Appends the line of a copied row.
  Status append_copied(std::string& out, const Change& change, std::uint32_t range) const;
  /// Appends the line that announces the columns of the schema.
  Status append_schema(std::string& out) const;

 private:
  struct ColumnPlan {
    std::string json_key;  ///< `"name":`
    JsonForm form;
  };

  explicit JsonlTable(SchemaPtr schema) : schema_(std::move(schema)) {}

  void append_start(std::string& out, std::string_view op) const;
  Status append_key(std::string& out, const Change& change) const;
  Status append_before(std::string& out, const Change& change) const;
  Status append_after(std::string& out, const Change& change) const;
  void append_unchanged(std::string& out, const Change& change) const;
  Status append_member(std::string& out,
                       std::size_t column,
                       const Value& value,
                       bool& is_first) const;

  SchemaPtr schema_;
  std::string table_json_;
  std::vector<ColumnPlan> columns_;
  std::vector<std::size_t> key_;       ///< What `key` shows.
  std::vector<std::size_t> identity_;  ///< What an old row of kind `key` holds.
};

}  // namespace freshet
