#include "destinations/postgres/statements.h"

#include <algorithm>
#include <span>

#include <fmt/format.h>

#include "base/try.h"

namespace freshet::postgres {
namespace {

using Columns = std::span<const std::uint16_t>;

/// Joins what `write(column, place)` gives for each column; places count from 1.
template <typename Write>
std::string join(Columns columns, std::string_view separator, Write&& write) {
  std::string text;
  std::size_t place = 0;
  for (const std::uint16_t column : columns) {
    if (place > 0) text += separator;
    text += write(column, ++place);
  }
  return text;
}

std::string names(const Target& target, Columns columns) {
  return join(columns, ", ", [&](auto column, auto) { return target.columns[column].name_sql; });
}

/// The parameters of one statement: how each is written.
struct Inputs {
  const Target& target;
  const ColumnSets& sets;

  bool is_binary(std::uint16_t column) const {
    return std::binary_search(sets.binary.begin(), sets.binary.end(), column);
  }

  std::string array_type(std::uint16_t column) const {
    return is_binary(column) ? target.columns[column].binary.type_sql : "text";
  }

  /// `$n` or, of a set of rows, `x.an`.
  std::string value(std::string_view prefix, std::uint16_t column, std::size_t place) const {
    const TargetColumn& to = target.columns[column];
    if (prefix == "$" && is_binary(column))
      return fmt::format("${}::{}::{}", place, to.binary.type_sql, to.cast_sql);
    return fmt::format("{}{}::{}", prefix, place, to.cast_sql);
  }
};

/// `unnest($1::text[], …) AS x(a1, …)`; only the unqualified name takes several arrays.
std::string rows_of_arrays(const Inputs& inputs, Columns first, Columns second = {}) {
  std::string arrays;
  std::string aliases;
  std::size_t place = 0;
  for (const Columns columns : {first, second}) {
    for (const std::uint16_t column : columns) {
      const std::string_view separator = place > 0 ? ", " : "";
      arrays += fmt::format("{}${}::{}[]", separator, ++place, inputs.array_type(column));
      aliases += fmt::format("{}a{}", separator, place);
    }
  }
  return fmt::format("unnest({}) AS x({})", arrays, aliases);
}

std::string values(const Inputs& inputs, Columns columns, std::string_view prefix) {
  return join(columns, ", ",
              [&](auto column, auto place) { return inputs.value(prefix, column, place); });
}

/// The key's columns equal parameters or array elements; `prefix` is `$` or `x.a`.
std::string key_matches(const Inputs& inputs, std::string_view prefix, std::size_t offset = 0) {
  return join(inputs.target.key, " AND ", [&](auto column, auto place) {
    const TargetColumn& key = inputs.target.columns[column];
    return fmt::format("t.{} {} {}", key.name_sql, key.equals_sql,
                       inputs.value(prefix, column, place + offset));
  });
}

/// Where the column is among those that rows are told apart by, from 1 on.
std::size_t place_of(const Target& target, std::uint16_t column) {
  const auto found = std::find(target.compared.begin(), target.compared.end(), column);
  return static_cast<std::size_t>(found - target.compared.begin()) + 1;
}

/// The same where parameters stand for the columns that rows are told apart by.
std::string key_matches_in_row(const Inputs& inputs) {
  return join(inputs.target.key, " AND ", [&](auto column, auto) {
    const TargetColumn& key = inputs.target.columns[column];
    return fmt::format("t.{} {} {}", key.name_sql, key.equals_sql,
                       inputs.value("$", column, place_of(inputs.target, column)));
  });
}

std::string assignments(const Inputs& inputs,
                        Columns columns,
                        std::string_view prefix,
                        std::size_t offset) {
  return join(columns, ", ", [&](auto column, auto place) {
    return fmt::format("{} = {}", inputs.target.columns[column].name_sql,
                       inputs.value(prefix, column, place + offset));
  });
}

/// What happens to a row of that key which is there already. A key that compares as bytes needs no
/// assignment; another (1.0, 1.00) takes the new spelling.
std::string on_conflict(const Target& target) {
  std::string set;
  for (const TargetColumn& column : target.columns) {
    if (column.is_key && target.is_key_byte_comparable) continue;
    set += fmt::format("{}{} = excluded.{}", set.empty() ? "" : ", ", column.name_sql,
                       column.name_sql);
  }
  return fmt::format(" ON CONFLICT ({}) DO {}", names(target, target.key),
                     set.empty() ? "NOTHING" : "UPDATE SET " + set);
}

std::string insert_into(const Target& target) {
  return fmt::format("INSERT INTO {} AS t ({}) OVERRIDING SYSTEM VALUE ", target.table_sql,
                     names(target, target.all));
}

std::string add(const Inputs& inputs, bool is_many) {
  const Target& target = inputs.target;
  if (target.all.empty()) return fmt::format("INSERT INTO {} DEFAULT VALUES", target.table_sql);
  if (!is_many)
    return fmt::format("{}VALUES ({})", insert_into(target), values(inputs, target.all, "$"));
  return fmt::format("{}SELECT {} FROM {}", insert_into(target), values(inputs, target.all, "x.a"),
                     rows_of_arrays(inputs, target.all));
}

/// Fails at the server when fewer rows than wanted were hit, so that nothing is ever committed on
/// top of a row that is not there and no answer has to be waited for.
std::string expecting(std::string_view update, std::string_view wanted) {
  return fmt::format("WITH hit AS ({} RETURNING 1) SELECT freshet.expect(count(*), {}) FROM hit",
                     update, wanted);
}

std::string change_many(const Inputs& inputs) {
  const Target& target = inputs.target;
  const std::vector<std::uint16_t>& set = inputs.sets.set;
  const std::size_t keys = target.key.size();
  return expecting(fmt::format("UPDATE {} AS t SET {} FROM {} WHERE {}", target.rows_sql,
                               assignments(inputs, set, "x.a", keys),
                               rows_of_arrays(inputs, target.key, set), key_matches(inputs, "x.a")),
                   fmt::format("${}::bigint", keys + set.size() + 1));
}

std::string change_one(const Inputs& inputs) {
  const Target& target = inputs.target;
  return expecting(fmt::format("UPDATE {} AS t SET {} WHERE {}", target.rows_sql,
                               assignments(inputs, inputs.sets.set, "$", target.key.size()),
                               key_matches(inputs, "$")),
                   "1");
}

std::string move_one(const Inputs& inputs) {
  const Target& target = inputs.target;
  return fmt::format(
      "WITH moved AS (UPDATE {} AS t SET {} WHERE {} RETURNING 1) {}SELECT {} WHERE NOT EXISTS "
      "(SELECT FROM moved){}",
      target.rows_sql, assignments(inputs, target.all, "$", 0),
      key_matches(inputs, "$", target.all.size()), insert_into(target),
      values(inputs, target.all, "$"), on_conflict(target));
}

/// Compares every column as text, each side through its own type's output: no type lacks that
/// (json, xml and point have no equality), and of two rows that are equal but spelled differently
/// (1.0, 1.00; under some collations a, A) the right one is found.
std::string as_text(std::string_view value) {
  return fmt::format("({})::text COLLATE \"C\"", value);
}

/// `text` writes what each column's text is to be, of its number and its place.
template <typename Text>
std::string is_same_row(const Target& target, const Text& text) {
  return join(target.compared, " AND ", [&](auto column, auto place) {
    return fmt::format("({}) IS NOT DISTINCT FROM ({})",
                       as_text("t." + target.columns[column].name_sql), text(column, place));
  });
}

std::string remove_row(const Inputs& inputs) {
  const Target& target = inputs.target;
  std::string where = key_matches_in_row(inputs);
  if (!where.empty()) where += " AND ";
  where += target.compared.empty() ? "true" : is_same_row(target, [&](auto column, auto place) {
    return as_text(inputs.value("$", column, place));
  });
  return fmt::format(
      "DELETE FROM {0} AS d USING (SELECT t.ctid, t.tableoid FROM {0} AS t WHERE {1} LIMIT 1) AS f "
      "WHERE d.ctid = f.ctid{2}",
      target.rows_sql, where, target.is_partitioned ? " AND d.tableoid = f.tableoid" : "");
}

/// PostgreSQL knows their lengths without reading them.
bool has_known_length(const TargetColumn& column) {
  return column.cast_sql == "text" || column.cast_sql == "character varying";
}

/// The columns by which a hash join may find rows without reading the large values of all.
std::vector<std::uint16_t> hashed_columns(const Target& target) {
  std::vector<std::uint16_t> columns;
  for (const std::uint16_t column : target.compared) {
    const TargetColumn& to = target.columns[column];
    if (to.is_in_row || has_known_length(to)) columns.push_back(column);
  }
  return columns.empty() ? target.compared : columns;
}

/// What is hashed of a value that is given as text.
std::string hashed(const TargetColumn& column, const std::string& text) {
  if (!has_known_length(column)) return fmt::format("coalesce({}, '')", text);
  return fmt::format(
      "CASE WHEN octet_length({0}) <= 100 THEN {0} ELSE coalesce(octet_length({0}), 0)::text END",
      text);
}

/// In one reading of the table, however many there are: only `=` can be hashed, which NULL is not.
std::string remove_rows(const Inputs& inputs) {
  const Target& target = inputs.target;
  const auto texts = join(target.compared, ", ", [&](auto column, auto place) {
    return fmt::format("{} AS c{}", as_text(inputs.value("x.a", column, place)), place);
  });
  const auto names =
      join(target.compared, ", ", [](auto, auto place) { return fmt::format("c{}", place); });
  const auto is_hashed = join(hashed_columns(target), " AND ", [&](auto column, auto) {
    const TargetColumn& to = target.columns[column];
    return fmt::format("{} = {}", hashed(to, as_text("t." + to.name_sql)),
                       hashed(to, fmt::format("w.c{}", place_of(target, column))));
  });
  const auto is_same =
      is_same_row(target, [](auto, auto place) { return fmt::format("w.c{}", place); });
  return fmt::format(
      "WITH wanted AS MATERIALIZED (SELECT row_number() OVER () AS id, count(*) AS copies, {1} "
      "FROM "
      "(SELECT {2} FROM {3}) AS v GROUP BY {1}), found AS MATERIALIZED (SELECT t.ctid, t.tableoid, "
      "w.copies, row_number() OVER (PARTITION BY w.id) AS number FROM {0} AS t JOIN wanted AS w ON "
      "{4} AND {5}) DELETE FROM {0} AS d USING found AS f WHERE d.ctid = f.ctid AND f.number <= "
      "f.copies{6}",
      target.rows_sql, names, texts, rows_of_arrays(inputs, target.compared), is_hashed, is_same,
      target.is_partitioned ? " AND d.tableoid = f.tableoid" : "");
}

}  // namespace

std::string find_sql(const Target& target) {
  const ColumnSets all_text;
  const Inputs inputs{target, all_text};
  std::string arrays;
  std::string aliases;
  for (std::size_t place = 1; place <= target.key.size(); ++place) {
    arrays += fmt::format("${}::text[], ", place);
    aliases += fmt::format("a{}, ", place);
  }
  return fmt::format(
      "SELECT x.place FROM unnest({}${}::int4[]) AS x({}place) WHERE EXISTS (SELECT FROM {} AS t "
      "WHERE {})",
      arrays, target.key.size() + 1, aliases, target.rows_sql, key_matches(inputs, "x.a"));
}

std::string copy_sql(const Target& target, bool is_binary) {
  return fmt::format("COPY {} ({}) FROM STDIN{}", target.table_sql, names(target, target.all),
                     is_binary ? " (FORMAT binary)" : "");
}

std::string statement_sql(const Target& target, Shape shape, const ColumnSets& sets) {
  const Inputs inputs{target, sets};
  switch (shape) {
    case Shape::put_many:
      return add(inputs, true) + on_conflict(target);
    case Shape::put_one:
      return add(inputs, false) + on_conflict(target);
    case Shape::add_many:
      return add(inputs, true);
    case Shape::add_one:
      return add(inputs, false);
    case Shape::remove_many:
      return fmt::format("DELETE FROM {} AS t USING {} WHERE {}", target.rows_sql,
                         rows_of_arrays(inputs, target.key), key_matches(inputs, "x.a"));
    case Shape::remove_one:
      return fmt::format("DELETE FROM {} AS t WHERE {}", target.rows_sql, key_matches(inputs, "$"));
    case Shape::change_many:
      return change_many(inputs);
    case Shape::change_one:
      return change_one(inputs);
    case Shape::move_one:
      return move_one(inputs);
    case Shape::remove_row:
      return remove_row(inputs);
    case Shape::remove_rows:
      return remove_rows(inputs);
  }
  FRESHET_CHECK(false);
}

}  // namespace freshet::postgres
