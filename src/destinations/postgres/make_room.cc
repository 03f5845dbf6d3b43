#include "destinations/postgres/make_room.h"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/sql_quote.h"
#include "base/try.h"
#include "destinations/postgres/newest_by.h"
#include "destinations/postgres/sql.h"
#include "freshet/arena.h"
#include "pg/sqlstate.h"
#include "types/whole_row.h"

namespace freshet::postgres {
namespace {

using Text = std::optional<std::string_view>;

/// The row as the change would leave it, as a query: what was not sent is what stands there.
class NewRow {
 public:
  NewRow(const Target& target, const Change& change)
      : target_(target), row_(fill_unchanged(change, target.key, arena_)) {
    for (const std::uint16_t column : target.all)
      add(column);
    if (!has_unchanged(row_)) return;
    const RowView key = change.before.empty() ? row_ : change.before;
    std::string where;
    for (const std::uint16_t column : target.key) {
      const TargetColumn& part = target.columns[column];
      where += fmt::format("{}t.{} {} {}::{}", where.empty() ? "" : " AND ", part.name_sql,
                           part.equals_sql, parameter(key[column]), part.cast_sql);
    }
    from_ = fmt::format(" FROM {} AS t WHERE {}", target.rows_sql, where);
  }

  std::string sql() const { return "SELECT " + values_ + from_; }

  const std::vector<Text>& parameters() const { return parameters_; }

 private:
  void add(std::uint16_t column) {
    const TargetColumn& to = target_.columns[column];
    if (!values_.empty()) values_ += ", ";
    if (row_[column].is_unchanged()) {
      values_ += "t." + to.name_sql;
    } else {
      values_ += fmt::format("{}::{} AS {}", parameter(row_[column]), to.cast_sql, to.name_sql);
    }
  }

  std::string parameter(const Value& value) {
    parameters_.push_back(value.is_null() ? Text{} : Text{value.view()});
    return fmt::format("${}", parameters_.size());
  }

  const Target& target_;
  Arena arena_;
  RowView row_;
  std::string values_;
  std::string from_;
  std::vector<Text> parameters_;
};

// Of the row that is wanted and the one that is there.
constexpr std::string_view kIsNewer =
    "(wanted.version IS NOT NULL AND (there.version IS NULL OR wanted.version > there.version))";

std::string both_null(int part) {
  return fmt::format(" OR (there.k{0} IS NULL AND wanted.k{0} IS NULL)", part);
}

Error incomparable(const Target& target, const std::string& newest_by) {
  return Error{ErrorKind::schema, "values of the column in newest_by cannot be compared"}
      .with("table", to_string(target.schema->name))
      .with("column", newest_by);
}

// Without a name what is wanted is always newer.
Result<std::string> version_column(const Target& target, const std::string& newest_by) {
  if (newest_by.empty()) return std::string{};
  FRESHET_TRY(const std::size_t column, find_newest_by(*target.schema, newest_by));
  return target.columns[column].name_sql;
}

}  // namespace

Result<Room> make_room(pg::Connection& connection,
                       const Target& target,
                       const Change& change,
                       const Error& conflict,
                       const std::string& newest_by) {
  const bool is_unique = conflict.sqlstate() == pg::sqlstate::kUniqueViolation;
  if (!is_unique || change.op == Op::remove || has_binary(change.after)) return Room::none;
  FRESHET_TRY(const std::string version, version_column(target, newest_by));
  // Of a partition, where the table has some.
  const TableName table{std::string{conflict.find("schema")}, std::string{conflict.find("table")}};
  FRESHET_TRY(
      const pg::Rows index,
      connection.query(sql::kSqlUniqueIndex, std::array{Text{table.schema}, Text{table.table},
                                                        Text{conflict.find("constraint")}}));
  if (index.rows() == 0) return Room::none;
  std::string keys = version.empty() ? "" : version + " AS version, ";
  std::string matches;
  for (int part = 0; part < index.rows(); ++part) {
    keys += fmt::format("{}{} AS k{}", part > 0 ? ", " : "", index.text(part, 0), part);
    matches +=
        fmt::format("{0}(there.k{1} {2} wanted.k{1}{3})", part > 0 ? " AND " : "", part,
                    index.text(part, 1), index.boolean(part, 3) ? both_null(part) : std::string{});
  }
  const std::string where = index.is_null(0, 2) ? "" : fmt::format(" WHERE {}", index.text(0, 2));
  const NewRow row(target, change);
  const auto found = connection.query(
      fmt::format("WITH in_way AS MATERIALIZED (SELECT there.place, {5} AS is_older FROM (SELECT "
                  "ctid AS place, {1} FROM ONLY {0}{2}) AS there, (SELECT {1} FROM ({3}) AS "
                  "given) AS wanted WHERE {4}), gone AS (DELETE FROM ONLY {0} WHERE ctid IN "
                  "(SELECT place FROM in_way WHERE is_older)) "
                  "SELECT count(*) FILTER (WHERE is_older), count(*) FROM in_way",
                  quote_identifier(table), keys, where, row.sql(), matches,
                  version.empty() ? "true" : kIsNewer),
      row.parameters());
  if (!found.ok())
    return found.error().sqlstate() == pg::sqlstate::kUndefinedFunction
               ? incomparable(target, newest_by)
               : found.error();
  if (found->integer(0, 0) > 0) return Room::made;
  return found->integer(0, 1) > 0 ? Room::taken : Room::none;
}

}  // namespace freshet::postgres
