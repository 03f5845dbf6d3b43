// What a table looks like at one moment of the stream. Immutable once shared.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "freshet/lsn.h"

namespace freshet {

struct TableName {
  std::string schema;
  std::string table;
  friend bool operator==(const TableName&, const TableName&) = default;
  friend auto operator<=>(const TableName&, const TableName&) = default;
};

/// "schema.table" for messages and logs; not quoted, so never for SQL.
std::string to_string(const TableName& name);

/// pg_class.relreplident.
enum class ReplicaIdentity : char { standard = 'd', nothing = 'n', full = 'f', index = 'i' };

struct Column {
  std::string name;
  Oid type{0};
  std::int32_t typmod = -1;
  /// Type as SQL at the source, with modifier and schema where needed, e.g. `numeric(12,2)`,
  /// `public.mood`, `integer[]`. For a derived column, the type wanted, e.g. `vector(256)`.
  /// Empty until the catalogue has been asked.
  std::string type_sql;
  /// pg_attribute.attnum; 0 for derived columns and until the catalogue has been asked.
  std::int16_t attnum = 0;
  bool is_not_null = false;
  /// Part of the replica identity (flag 1 of a Relation message; under FULL every column).
  bool is_identity = false;
  /// Place in the primary key from 1; 0 when not part of it.
  std::int16_t primary_key_place = 0;
  /// Made by a transform, not present at the source.
  bool is_derived = false;
  /// The type belongs to PostgreSQL itself (OID < 16384), or is an array of such.
  bool is_builtin_type = true;
  /// The text form of equal values is always equal bytes (integers, uuid, text under a
  /// deterministic collation, ...), so that values may be compared as bytes. False for numeric,
  /// float, citext, ...
  bool is_byte_comparable = false;
  /// Value that rows written before the column was added have (pg_attribute.attmissingval), as
  /// text.
  std::shared_ptr<const std::string> missing_value;
  friend bool operator==(const Column&, const Column&);
};

struct TableSchema {
  Oid relation{0};
  TableName name;
  ReplicaIdentity identity = ReplicaIdentity::standard;
  std::vector<Column> columns;
  /// Increases by one with each change that Freshet saw; starts at 1.
  std::uint64_t version = 1;
  /// Changes whenever the definition of a column or the primary key does; empty until the catalogue
  /// has been asked.
  std::string definition;
  /// The files that hold its rows: "oid:relfilenode" of each heap, separated by spaces.
  std::string files;

  /// Index of the column of that name, or -1.
  int find(std::string_view column) const noexcept;
  /// True if rows can be addressed by a key, i.e. identity is standard or index with key columns.
  bool has_key() const noexcept;
};

/// True if rows of both fit the same destination table without DDL.
bool is_same_shape(const TableSchema& a, const TableSchema& b);

/// The bounds of a range of keys, as values of the key's columns in PostgreSQL's text form.
struct KeyBounds {
  std::vector<std::string> columns;
  std::vector<std::string> from;  ///< Inclusive; empty: from the first key.
  std::vector<std::string> to;    ///< Exclusive; empty: to the last key.
  friend bool operator==(const KeyBounds&, const KeyBounds&) = default;
};

using SchemaPtr = std::shared_ptr<const TableSchema>;

}  // namespace freshet
