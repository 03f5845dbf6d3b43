// What the source's catalogue says about tables.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "freshet/result.h"
#include "freshet/schema.h"
#include "pg/connection.h"

namespace freshet::source {

/// One heap that holds rows of a table: the table itself, or a leaf of a partitioned one.
struct Heap {
  Oid relation{0};
  TableName name;
  std::uint32_t relfilenode = 0;
  std::uint64_t pages = 0;  ///< Of the file itself, now; not the planner's estimate.
  bool is_foreign = false;  ///< A foreign table as a partition: has no pages and is not replicated.
  friend bool operator==(const Heap&, const Heap&) = default;
};

struct CatalogTable {
  /// All columns but dropped and generated ones, in attnum order; narrow it with select_columns().
  TableSchema schema;
  char kind = 'r';                ///< pg_class.relkind: r, p, v, m, f.
  char persistence = 'p';         ///< pg_class.relpersistence: p, u (unlogged), t.
  std::string identity_index;     ///< Index behind the replica identity; empty: none.
  bool has_row_security = false;  ///< And it applies to our role.
  bool is_partition = false;
  TableName root;  ///< Topmost partitioned parent; itself if it is no partition.
  std::vector<std::string> generated_columns;
  std::vector<TableName> inheritance_children;  ///< Of plain inheritance; not read with the table.
  std::vector<Heap> heaps;    ///< Itself, or the leaves; none for an empty partitioned table.
  double rows_estimated = 0;  ///< Sum of reltuples; 0 if never analysed.
  bool can_select = true;     ///< Our role may read the whole table.
};

/// Reads tables, in the order of `names`; a missing one is an error of kind `setting` that names
/// it.
Result<std::vector<CatalogTable>> load_tables(pg::Connection& connection,
                                              std::span<const TableName> names);
Result<CatalogTable> load_table(pg::Connection& connection, const TableName& name);

// Both of the above wait for tables that somebody locks exclusively. What follows does not: it may
// be asked while locks or snapshots are held that such a somebody may be waiting for.

/// Their columns and identity alone.
Result<std::vector<TableSchema>> load_schemas(pg::Connection& connection,
                                              std::span<const TableName> names);
/// Their heaps as they are now, without pages, in the order of `relations`; none for one that is
/// gone.
Result<std::vector<std::vector<Heap>>> load_heaps(pg::Connection& connection,
                                                  std::span<const Oid> relations);

/// Of the tables, those that may hold a bytea which the server cannot send as text.
Result<std::vector<TableName>> find_large_bytea(pg::Connection& connection,
                                                std::span<const Oid> relations);

/// Keeps the named columns, in catalogue order; empty: all. A name that is missing, or a column of
/// the replica identity left out (but under FULL), is an error of kind `config`.
Result<TableSchema> select_columns(const CatalogTable& table, std::span<const std::string> columns);

/// A table as a Relation message told it, and as it was known before (null: not at all).
struct Announced {
  SchemaPtr streamed;
  SchemaPtr previous;
};

struct Enriched {
  SchemaPtr schema;
  /// False: by now nobody can tell which of the columns before, or since, it announces.
  bool is_certain = true;
};

/// Fills in what a Relation message does not tell (type_sql, attnum, primary key, comparability,
/// missing values, NOT NULL); source/column_match.h. `previous` (it may be null) is what was made
/// of the message before. A column that the catalogue has no more keeps what `previous` knew of it.
/// Keeps the version and the identity flags of `streamed`.
Result<std::vector<Enriched>> enrich(pg::Connection& connection,
                                     std::span<const Announced> announced);

/// The primary key of a definition that was captured in the stream (source/captured_definition.h).
/// Pure.
SchemaPtr settle_captured(const SchemaPtr& captured, const SchemaPtr& previous);

/// True if a heap of `before` has another file `now` (TableSchema::files). Pure.
bool has_other_files(std::string_view before, std::string_view now);

/// True if `now` has rows that were rewritten under another definition than `before`: values that
/// the stream never brought (ALTER TYPE, ADD COLUMN with a volatile default). VACUUM FULL alone is
/// not: it leaves the definition. May be true without need where both happened. Pure.
bool was_rewritten(const TableSchema& before, const TableSchema& now);

/// Its column of that number, or null. Pure.
const Column* find_number(const TableSchema& schema, std::int16_t attnum);

struct ColumnRename {
  std::string from;
  std::string to;
  friend bool operator==(const ColumnRename&, const ColumnRename&) = default;
};

/// Columns with one attnum and two names. Pure.
std::vector<ColumnRename> find_renames(const TableSchema& from, const TableSchema& to);

/// Where definitions are not captured, rows that came in between may have been taken for the
/// other's.
constexpr std::string_view kColumnMadeAgain = "a column was dropped and made again";

/// True if a column was dropped and another has its name and type. Pure.
bool has_column_made_again(const TableSchema& from, const TableSchema& to);

}  // namespace freshet::source
