// Tables at the destination: what is there, whether it fits, how it is made.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "freshet/schema.h"
#include "pg/connection.h"

namespace freshet::postgres {

/// A column as the catalogue of the destination has it.
struct FoundColumn {
  std::string name;
  std::string cast_type;      ///< Without modifier; fit for a cast.
  std::string declared_type;  ///< With modifier.
  bool is_not_null = false;
  bool has_default = false;
  bool is_generated = false;        ///< GENERATED ALWAYS AS (…): takes no values.
  bool is_identity_always = false;  ///< GENERATED ALWAYS AS IDENTITY.
  Oid type{0};
  Oid element{0};  ///< Of an array.
  bool has_binary_form = false;
  bool is_composite = false;  ///< Or a domain over one.
  bool is_in_row = false;     ///< Values are short, or at least never apart from their row.
};

struct UniqueKey {
  struct Part {
    std::string column;
    std::string equals_sql;        ///< `OPERATOR(pg_catalog.=)`
    bool is_deterministic = true;  ///< False: texts that differ may be equal here.
  };

  bool is_primary = false;
  std::vector<Part> parts;
};

/// One that a statement would fire.
struct FoundTrigger {
  std::string name;
  TableName table;  ///< Its own: a partition, maybe.
};

/// A table as it stands at the destination.
struct FoundTable {
  std::string oid;
  bool is_partitioned = false;
  bool is_unlogged = false;
  bool is_table = true;  ///< False: a view, a foreign table, ...
  std::vector<FoundColumn> columns;
  std::vector<UniqueKey> keys;
  std::optional<FoundTrigger> trigger;  ///< The first of those that the session would fire.

  const FoundColumn* find(std::string_view name) const noexcept;
  /// The key over exactly these columns, in any order.
  const UniqueKey* find_key(std::span<const std::string> names) const noexcept;
};

Result<std::optional<FoundTable>> find_table(pg::Connection& connection, const TableName& name);

/// The same of many in one query, in their order, without columns and keys.
Result<std::vector<std::optional<FoundTable>>> find_states(pg::Connection& connection,
                                                           std::span<const TableName> names);

/// The table as SQL names it where its own rows are meant: not those of tables that inherit from
/// it, but those of its partitions. No name for INSERT and COPY.
std::string own_rows_sql(const TableName& name, bool is_partitioned);
/// The same of a table that is there, or may be.
Result<std::string> find_own_rows_sql(pg::Connection& connection, const TableName& name);

/// The type that each of the schema's columns gets here: the source's, or text where this server
/// lacks it. Vector types are qualified; pgvector is created if it is missing and may be.
Result<std::vector<std::string>> column_types(pg::Connection& connection,
                                              const TableSchema& schema);

/// Fails where column_types would.
Status check_types(pg::Connection& connection, const TableSchema& schema);

/// Whether every value of `source_type` is kept as it is by a column of type `here`.
bool is_assignable(std::string_view source_type, std::string_view here);

/// The columns that rows are addressed by: the replica identity, or the primary key under FULL.
/// Empty: none.
std::vector<std::uint16_t> key_columns(const TableSchema& schema);

/// The same by name.
std::vector<std::string> key_names(const TableSchema& schema);

/// The columns of the primary key in its order; empty if there is none or not all are here.
std::vector<std::string> primary_key(const TableSchema& schema);

/// A unique index over `key`, named as key_index_name says.
std::string create_key_index_sql(const TableName& table, std::span<const std::string> key);

/// True if every server can be taken to have the columns' types.
bool has_plain_types(const TableSchema& schema);

/// Table and key, in statements separated by semicolons; `types` are those of the columns.
std::string create_table_sql(const TableSchema& schema, std::span<const std::string> types);
/// The same done, with the types that this server has. In the caller's transaction.
Status create_table(pg::Connection& connection, const TableSchema& schema);

/// What is wrong where a trigger would fire on rows of the table.
Error fires_trigger(const TableName& table, const FoundTrigger& trigger);

/// Fails where rows would not be kept as they are sent: a trigger would fire on them, or the key
/// takes values for one that differ at the source.
Status check_faithful(const TableSchema& schema, const FoundTable& found);

/// Fails where rows of `schema` would not fit what is there, or not be kept as they are.
Status check_table(pg::Connection& connection, const TableSchema& schema, const FoundTable& found);

/// `("a", "b")` without the parentheses.
std::string quote_list(std::span<const std::string> names);

}  // namespace freshet::postgres
