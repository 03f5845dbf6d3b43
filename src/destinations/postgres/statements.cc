#include "destinations/postgres/statements.h"

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

/// `unnest($1::text[], …) AS x(a1, …)`; only the unqualified name takes several arrays.
std::string rows_of_arrays(std::size_t count) {
  std::string arrays;
  std::string aliases;
  for (std::size_t i = 1; i <= count; ++i) {
    arrays += fmt::format("{}${}::text[]", i > 1 ? ", " : "", i);
    aliases += fmt::format("{}a{}", i > 1 ? ", " : "", i);
  }
  return fmt::format("unnest({}) AS x({})", arrays, aliases);
}

std::string array_values(const Target& target, Columns columns, std::size_t offset = 0) {
  return join(columns, ", ", [&](auto column, auto place) {
    return fmt::format("x.a{}::{}", place + offset, target.columns[column].cast_sql);
  });
}

std::string plain_values(const Target& target, Columns columns) {
  return join(columns, ", ", [&](auto column, auto place) {
    return fmt::format("${}::{}", place, target.columns[column].cast_sql);
  });
}

/// The key's columns equal parameters or array elements; `prefix` is `$` or `x.a`.
std::string key_matches(const Target& target, std::string_view prefix, std::size_t offset = 0) {
  return join(target.key, " AND ", [&](auto column, auto place) {
    const TargetColumn& key = target.columns[column];
    return fmt::format("t.{} {} {}{}::{}", key.name_sql, key.equals_sql, prefix, place + offset,
                       key.cast_sql);
  });
}

/// The same where parameters stand for all columns of a row.
std::string key_matches_in_row(const Target& target) {
  return join(target.key, " AND ", [&](auto column, auto) {
    const TargetColumn& key = target.columns[column];
    return fmt::format("t.{} {} ${}::{}", key.name_sql, key.equals_sql, column + 1, key.cast_sql);
  });
}

std::string assignments(const Target& target,
                        Columns columns,
                        std::string_view prefix,
                        std::size_t offset) {
  return join(columns, ", ", [&](auto column, auto place) {
    const TargetColumn& to = target.columns[column];
    return fmt::format("{} = {}{}::{}", to.name_sql, prefix, place + offset, to.cast_sql);
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

std::string add(const Target& target, bool is_many) {
  if (target.all.empty()) return fmt::format("INSERT INTO {} DEFAULT VALUES", target.table_sql);
  if (!is_many) return insert_into(target) + "VALUES (" + plain_values(target, target.all) + ")";
  return fmt::format("{}SELECT {} FROM {}", insert_into(target), array_values(target, target.all),
                     rows_of_arrays(target.all.size()));
}

/// Fails at the server when fewer rows than wanted were hit, so that nothing is ever committed on
/// top of a row that is not there and no answer has to be waited for.
std::string expecting(std::string_view update, std::string_view wanted) {
  return fmt::format("WITH hit AS ({} RETURNING 1) SELECT freshet.expect(count(*), {}) FROM hit",
                     update, wanted);
}

std::string change_many(const Target& target, const std::vector<std::uint16_t>& set) {
  const std::size_t keys = target.key.size();
  const std::size_t arrays = keys + set.size();
  return expecting(fmt::format("UPDATE {} AS t SET {} FROM {} WHERE {}", target.table_sql,
                               assignments(target, set, "x.a", keys), rows_of_arrays(arrays),
                               key_matches(target, "x.a")),
                   fmt::format("${}::bigint", arrays + 1));
}

std::string change_one(const Target& target, const std::vector<std::uint16_t>& set) {
  return expecting(
      fmt::format("UPDATE {} AS t SET {} WHERE {}", target.table_sql,
                  assignments(target, set, "$", target.key.size()), key_matches(target, "$")),
      "1");
}

std::string move_one(const Target& target) {
  return fmt::format(
      "WITH moved AS (UPDATE {} AS t SET {} WHERE {} RETURNING 1) {}SELECT {} WHERE NOT EXISTS "
      "(SELECT FROM moved){}",
      target.table_sql, assignments(target, target.all, "$", 0),
      key_matches(target, "$", target.all.size()), insert_into(target),
      plain_values(target, target.all), on_conflict(target));
}

/// Compares every column as text, each side through its own type's output: no type lacks that
/// (json, xml and point have no equality), and of two rows that are equal but spelled differently
/// (1.0, 1.00) the right one is found.
std::string remove_row(const Target& target) {
  std::string where = key_matches_in_row(target);
  for (const std::uint16_t column : target.all) {
    const TargetColumn& part = target.columns[column];
    where += fmt::format("{}t.{}::text IS NOT DISTINCT FROM (${}::{})::text",
                         where.empty() ? "" : " AND ", part.name_sql, column + 1, part.cast_sql);
  }
  if (where.empty()) where = "true";
  return fmt::format(
      "DELETE FROM {0} AS d USING (SELECT t.ctid, t.tableoid FROM {0} AS t WHERE {1} LIMIT 1) AS f "
      "WHERE d.ctid = f.ctid{2}",
      target.table_sql, where, target.is_partitioned ? " AND d.tableoid = f.tableoid" : "");
}

}  // namespace

bool takes_arrays(Shape shape) noexcept {
  return shape == Shape::put_many || shape == Shape::add_many || shape == Shape::remove_many ||
         shape == Shape::change_many;
}

std::string copy_sql(const Target& target) {
  return fmt::format("COPY {} ({}) FROM STDIN", target.table_sql, names(target, target.all));
}

std::string statement_sql(const Target& target,
                          Shape shape,
                          const std::vector<std::uint16_t>& set) {
  switch (shape) {
    case Shape::put_many:
      return add(target, true) + on_conflict(target);
    case Shape::put_one:
      return add(target, false) + on_conflict(target);
    case Shape::add_many:
      return add(target, true);
    case Shape::add_one:
      return add(target, false);
    case Shape::remove_many:
      return fmt::format("DELETE FROM {} AS t USING {} WHERE {}", target.table_sql,
                         rows_of_arrays(target.key.size()), key_matches(target, "x.a"));
    case Shape::remove_one:
      return fmt::format("DELETE FROM {} AS t WHERE {}", target.table_sql,
                         key_matches(target, "$"));
    case Shape::change_many:
      return change_many(target, set);
    case Shape::change_one:
      return change_one(target, set);
    case Shape::move_one:
      return move_one(target);
    case Shape::remove_row:
      return remove_row(target);
  }
  FRESHET_CHECK(false);
}

}  // namespace freshet::postgres
