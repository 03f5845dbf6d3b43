#include "source/row_filter.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "base/sql_quote.h"
#include "base/try.h"
#include "pg/array_literal.h"
#include "pg/sqlstate.h"
#include "source/catalog.h"
#include "source/filter_probe.h"
#include "source/publication.h"

namespace freshet::source {
namespace {

/// One text[] parameter per column used, unnested side by side and cast to the columns' types; the
/// derived table has the table's name, so that `messages.content` in the filter still means it.
std::string filter_sql(const TableSchema& schema,
                       std::span<const int> used_columns,
                       const std::string& where) {
  std::string arrays;
  std::string names;
  std::string casts;
  for (std::size_t i = 0; i < used_columns.size(); ++i) {
    const Column& column = schema.columns[static_cast<std::size_t>(used_columns[i])];
    const std::string place = std::to_string(i + 1);
    arrays += "$" + place + "::text[], ";
    names += "f" + place + ", ";
    casts += "f" + place + "::" + column.type_sql + " AS " + quote_identifier(column.name) + ", ";
  }
  // The row's number comes as an array of its own: a filter may use no column at all.
  const std::string last = "$" + std::to_string(used_columns.size() + 1) + "::int4[]";
  return "SELECT freshet_row FROM (SELECT " + casts + "freshet_row FROM unnest(" + arrays + last +
         ") AS u(" + names + "freshet_row) OFFSET 0) AS " + quote_identifier(schema.name.table) +
         " WHERE " + in_parentheses(where);
}

bool is_sent(const RowView& row, std::span<const int> used_columns) {
  return std::none_of(used_columns.begin(), used_columns.end(), [&](int column) {
    return row[static_cast<std::size_t>(column)].is_unchanged();
  });
}

Error not_streamed(const TableSchema& schema) {
  return Error{ErrorKind::schema, "`where` uses a column that is not streamed"}
      .with("table", to_string(schema.name))
      .fix(
          "name a column that there is, or add it to `columns` and to the publication's list; "
          "then `freshet table resync`");
}

/// Of all columns where nothing tells which ones the condition uses.
Result<std::vector<int>> places_of(const std::optional<std::vector<std::string>>& names,
                                   const TableSchema& schema) {
  std::vector<int> places;
  if (!names) {
    places.resize(schema.columns.size());
    std::iota(places.begin(), places.end(), 0);
    return places;
  }
  for (const std::string& name : *names) {
    places.push_back(schema.find(name));
    if (places.back() < 0) return not_streamed(schema).with("column", name);
  }
  return places;
}

}  // namespace

RowFilter::RowFilter(SchemaPtr schema, std::string sql, std::vector<int> used_columns)
    : schema_(std::move(schema)), sql_(std::move(sql)), used_columns_(std::move(used_columns)) {}

Result<std::unique_ptr<RowFilter>> RowFilter::make(pg::Connection& connection,
                                                   const SchemaPtr& schema,
                                                   const std::string& where) {
  const auto found = find_filter_columns(connection, schema->name, where);
  if (!found.ok()) return of_followed_table(found.error());
  FRESHET_TRY(std::vector<int> used, places_of(*found, *schema));
  std::string sql = filter_sql(*schema, used, where);
  return std::unique_ptr<RowFilter>{new RowFilter(schema, std::move(sql), std::move(used))};
}

Result<std::vector<Match>> RowFilter::evaluate(pg::Connection& connection,
                                               std::span<const RowView> rows) {
  std::vector<Match> matches(rows.size(), Match::no);
  std::vector<pg::ArrayLiteral> arrays(used_columns_.size() + 1);
  for (std::size_t row = 0; row < rows.size(); ++row) {
    if (!is_sent(rows[row], used_columns_)) {
      matches[row] = Match::unknown;
      continue;
    }
    for (std::size_t i = 0; i < used_columns_.size(); ++i) {
      const Value& value = rows[row][static_cast<std::size_t>(used_columns_[i])];
      if (value.is_null()) {
        arrays[i].add_null();
      } else {
        arrays[i].add(value.view());
      }
    }
    arrays.back().add(std::to_string(row));
  }
  std::vector<std::string> texts;
  for (const pg::ArrayLiteral& array : arrays)
    texts.push_back(array.text());
  const std::vector<std::optional<std::string_view>> parameters{texts.begin(), texts.end()};
  auto answer = connection.query(sql_, parameters);
  if (!answer.ok()) {
    if (answer.error().sqlstate() != pg::sqlstate::kUndefinedColumn) return answer.error();
    return not_streamed(*schema_).with("server", answer.error().message());
  }
  const pg::Rows& matched = *answer;
  for (int i = 0; i < matched.rows(); ++i) {
    const std::uint64_t row = matched.unsigned_integer(i, 0);
    if (row < matches.size()) matches[row] = Match::yes;
  }
  return matches;
}

}  // namespace freshet::source
