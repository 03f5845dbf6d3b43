// A table that groups are written to: names, types and the way its rows are addressed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "destinations/postgres/binary_form.h"
#include "destinations/postgres/net_changes.h"
#include "freshet/schema.h"
#include "pg/connection.h"

namespace freshet::postgres {

enum class Addressing : std::uint8_t {
  netted,     ///< By a key that compares as bytes: changes are netted per key, then set-based.
  ordered,    ///< By a key whose equality only the server knows: row by row.
  whole_row,  ///< No key (or such a key under FULL): every column must match, one row is touched.
  none,       ///< Rows are only ever added.
};

struct TargetColumn {
  std::string name_sql;
  std::string cast_sql;    ///< Type without modifier.
  std::string equals_sql;  ///< For the key's columns.
  BinaryForm binary;
  bool is_key = false;
  bool is_in_row = false;      ///< Values are short, or at least never apart from their row.
  bool is_raw_text = false;    ///< Of a type whose binary form is its text.
  bool comes_as_text = false;  ///< The same of the source's type: its binary form counts as text.
};

/// What tells statements of one shape apart. Ascending.
struct ColumnSets {
  std::vector<std::uint16_t> set;     ///< Columns that are assigned to, where not all are.
  std::vector<std::uint16_t> binary;  ///< Columns whose values are sent in binary form.
};

struct Target {
  SchemaPtr schema;
  std::uint32_t id = 0;  ///< Never used twice; part of the names of prepared statements.
  std::string table_sql;
  std::string rows_sql;               ///< The same where its own rows are meant: own_rows_sql.
  std::vector<TargetColumn> columns;  ///< As schema->columns.
  std::vector<std::uint16_t> key;
  std::vector<std::uint16_t> all;  ///< 0, 1, ...
  /// Those that tell rows without a key apart: old rows lack what a transform derived.
  std::vector<std::uint16_t> compared;
  Addressing addressing = Addressing::none;
  bool is_key_byte_comparable = false;
  bool is_partitioned = false;
  bool goes_by_row = false;           ///< In binary form: one of the columns does.
  bool takes_binary_copy = true;      ///< No column is of a type without a binary form.
  std::uint64_t missing_deletes = 0;  ///< Deletes that found no row; logged once.

  NetChanges net{{}};
  NetRows net_rows{{}};
  bool is_pending = false;  ///< One of the two holds changes.

  /// A small number, the same for the same sets.
  std::uint32_t set_id(const ColumnSets& sets);

 private:
  std::unordered_map<std::string, std::uint32_t> set_ids_;
};

/// Targets by schema version. Schemas that are equal share one target, whoever made them.
class TargetCache {
 public:
  /// Loads what is missing; not in pipeline mode.
  Result<Target*> get(pg::Connection& connection, const SchemaPtr& schema);
  /// The target, which must have been got before.
  Target& at(const TableSchema* schema);
  /// After DDL.
  void forget(const TableName& name);
  void clear();

  /// Drops everything when schemas have piled up. Not while a group is being written.
  void trim() {
    if (targets_.size() > kEntriesMax) clear();
  }

 private:
  struct Entry {
    SchemaPtr schema;  // keeps the address from being used again
    std::shared_ptr<Target> target;
  };

  static constexpr std::size_t kEntriesMax = 4096;

  std::shared_ptr<Target> find_equal(const TableSchema& schema) const;
  Result<std::shared_ptr<Target>> load(pg::Connection& connection, const SchemaPtr& schema);

  std::unordered_map<const TableSchema*, Entry> targets_;
  const TableSchema* last_schema_ = nullptr;
  Target* last_ = nullptr;
  std::uint32_t last_id_ = 0;
};

}  // namespace freshet::postgres
