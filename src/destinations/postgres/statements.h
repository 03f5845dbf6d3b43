// The SQL of each way in which rows are written. Pure.
//
// Values in binary form travel as what they are: as $n::T, and sets of rows as one T[] per column.
// Those in text form:
//
// Sets of rows travel as one text[] per column, and each element is cast to the column's type
// inside the statement. That cast has the semantics of the type's input function for every type
// tried on 15.20 and 18.6: xml, "char", name, bpchar, bit, varbit, arrays with bounds, composites,
// enums, domains, citext, vector, json, jsonb, bytea, money, regclass, interval, numeric NaN,
// geometric. Where pg_cast has a cast from text (regclass, "char", name, xml, character types) it
// reads as the input function does; all others go through the input function itself. Two traps are
// avoided by casting to the type *without* modifier, spelled by format_type(oid, -1): an explicit
// cast to varchar(3) cuts silently where the assignment that follows fails ("value too long"), and
// `bit` and `character` mean bit(1) and character(1), while "bit" and bpchar have no limit. A
// domain over varchar(n) still cuts; its values come from the same domain, hence fit.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "destinations/postgres/target.h"

namespace freshet::postgres {

enum class Shape : std::uint8_t {
  put_many,  ///< Every column as text[]: insert, or make the row of that key look so.
  put_one,   ///< The same for one row, by value.
  add_many,  ///< Plain inserts.
  add_one,
  remove_many,  ///< Key columns as text[].
  remove_one,
  change_many,  ///< Key columns, then those of the set, as text[]; $n: rows that must be there.
  change_one,   ///< Key columns (old), then those of the set, which may hold key columns.
  move_one,     ///< All columns, then key columns (old): update that row, or put the new one.
  remove_row,   ///< All compared columns: one row that is not distinct in any.
  /// The same as text[]: of equal ones as many as are named. Reads the whole table.
  remove_rows,
};

/// `sets.set` is used by change_many and change_one alone.
std::string statement_sql(const Target& target, Shape shape, const ColumnSets& sets);
/// Finds rows by arrays of their keys, each `text[]`, and one of numbers: the numbers of those that
/// are there.
std::string find_sql(const Target& target);
std::string copy_sql(const Target& target, bool is_binary);

}  // namespace freshet::postgres
