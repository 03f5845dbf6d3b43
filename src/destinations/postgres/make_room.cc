#include "destinations/postgres/make_room.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/sql_quote.h"
#include "base/try.h"
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
    from_ = fmt::format(" FROM {} AS t WHERE {}", target.table_sql, where);
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

}  // namespace

Result<std::uint64_t> make_room(pg::Connection& connection,
                                const Target& target,
                                const Change& change,
                                const Error& conflict) {
  const bool is_text =
      std::none_of(change.after.begin(), change.after.end(),
                   [](const Value& value) { return value.kind == ValueKind::binary; });
  const bool is_unique = conflict.sqlstate() == pg::sqlstate::kUniqueViolation;
  if (!is_unique || change.op == Op::remove || !is_text) return 0U;
  // Of a partition, where the table has some.
  const TableName table{std::string{conflict.find("schema")}, std::string{conflict.find("table")}};
  FRESHET_TRY(
      const pg::Rows index,
      connection.query(sql::kSqlUniqueIndex, std::array{Text{table.schema}, Text{table.table},
                                                        Text{conflict.find("constraint")}}));
  if (index.rows() == 0) return 0U;
  std::string keys;
  std::string matches;
  for (int part = 0; part < index.rows(); ++part) {
    keys += fmt::format("{}{} AS k{}", part > 0 ? ", " : "", index.text(part, 0), part);
    matches += fmt::format("{}there.k{} {} wanted.k{}", part > 0 ? " AND " : "", part,
                           index.text(part, 1), part);
  }
  const std::string where = index.is_null(0, 2) ? "" : fmt::format(" WHERE {}", index.text(0, 2));
  const NewRow row(target, change);
  FRESHET_TRY(
      const pg::Rows removed,
      connection.query(
          fmt::format("DELETE FROM ONLY {0} WHERE ctid IN (SELECT there.place FROM (SELECT ctid "
                      "AS place, {1} FROM ONLY {0}{2}) AS there, (SELECT {1} FROM ({3}) AS given) "
                      "AS wanted WHERE {4})",
                      quote_identifier(table), keys, where, row.sql(), matches),
          row.parameters()));
  return removed.affected();
}

}  // namespace freshet::postgres
