// Evaluates a table's `where` for rows which the publication could not filter.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "freshet/result.h"
#include "freshet/row.h"
#include "freshet/schema.h"
#include "pg/connection.h"

namespace freshet::source {

enum class Match : std::uint8_t {
  no,
  yes,
  unknown,  ///< A column that the filter uses was not sent (unchanged TOAST): read the row again.
};

/// The source server evaluates: its meaning is exact. One thread at a time; one round trip per
/// call.
class RowFilter {
 public:
  /// A filter that the server cannot parse, or one of columns that the schema lacks, is an error of
  /// kind `schema`.
  static Result<std::unique_ptr<RowFilter>> make(pg::Connection& connection,
                                                 const SchemaPtr& schema,
                                                 const std::string& where);

  /// One answer per row. Rows have the shape of the schema given to make(), values in text form. An
  /// expression that raises (1/v) is an error of kind `data`.
  Result<std::vector<Match>> evaluate(pg::Connection& connection, std::span<const RowView> rows);

  /// Indexes into the schema's columns of those which the filter uses.
  std::span<const int> used_columns() const { return used_columns_; }

 private:
  RowFilter(SchemaPtr schema, std::string sql, std::vector<int> used_columns);

  SchemaPtr schema_;
  std::string sql_;
  std::vector<int> used_columns_;
};

}  // namespace freshet::source
