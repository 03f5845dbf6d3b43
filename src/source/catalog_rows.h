// What the catalogue says of tables, by their oids: for the sources of this folder that compare it
// with what the stream says. Each asks once for all tables.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "freshet/result.h"
#include "freshet/schema.h"
#include "pg/connection.h"
#include "source/column_match.h"

namespace freshet::source {

using ColumnLists = std::map<Oid, ColumnList>;

struct Definition {
  std::string text;
  std::string files;  ///< "oid:relfilenode" of each heap.
};

/// What `sql`, a query with an array of oids as its parameter, says of these tables.
Result<pg::Rows> ask_about(pg::Connection& connection,
                           std::string_view sql,
                           std::span<const Oid> relations);

Result<ColumnLists> load_columns(pg::Connection& connection, std::span<const Oid> relations);

/// Both parts of one moment: a definition with files of another hides that rows were rewritten.
Result<std::map<Oid, Definition>> load_definitions(pg::Connection& connection,
                                                   std::span<const Oid> relations);

/// Sets type_sql of all columns, whose types may be older than the catalogue's; empty where a type
/// is gone.
Status fill_types(pg::Connection& connection,
                  std::span<const std::shared_ptr<TableSchema>> schemas);

/// By what a Relation message tells of columns.
bool is_same_column(const Column& a, const Column& b);

/// For each column of `schema` the one of `known` that it is, if all are there in this order:
/// columns are announced by attribute number. Empty if not. Pure.
std::vector<const Column*> match_in_order(const TableSchema& schema,
                                          const std::vector<const Column*>& known);

}  // namespace freshet::source
