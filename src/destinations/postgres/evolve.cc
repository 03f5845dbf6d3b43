#include "destinations/postgres/evolve.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/log.h"
#include "base/sql_quote.h"
#include "base/try.h"
#include "destinations/postgres/names.h"
#include "destinations/postgres/schema.h"

namespace freshet::postgres {
namespace {

/// The same column before and after: by attnum where both know it, else by name.
const Column* find_same(const TableSchema& schema, const Column& column) {
  for (const Column& other : schema.columns) {
    if (other.is_derived != column.is_derived) continue;
    const bool has_attnums = other.attnum != 0 && column.attnum != 0;
    if (has_attnums ? other.attnum == column.attnum : other.name == column.name) return &other;
  }
  return nullptr;
}

/// Whether the source's change of type leaves every value's text as it was. (USING may still have
/// changed them; that nobody can see in the stream.)
bool widens(std::string_view from, std::string_view to) {
  return is_assignable(from, to) && (to != "text" || from.starts_with("character varying"));
}

bool may_be_identity(std::string_view type) {
  return type == "smallint" || type == "integer" || type == "bigint";
}

class Evolution {
 public:
  Evolution(pg::Connection& connection, const TableSchema& from, const TableSchema& to)
      : connection_(connection), from_(from), to_(to), table_(quote_identifier(to.name)) {}

  Status run() {
    FRESHET_TRY(load());
    FRESHET_TRY(types_, column_types(connection_, to_));
    FRESHET_TRY(release_keys());
    FRESHET_TRY(drop_columns());
    FRESHET_TRY(rename_columns());
    FRESHET_TRY(load());
    for (std::size_t i = 0; i < to_.columns.size(); ++i) {
      FRESHET_TRY(make_column(to_.columns[i], types_[i]));
    }
    FRESHET_TRY(load());
    return make_key();
  }

 private:
  Status load() {
    // A renamed table is a new one for us; here the name stays.
    FRESHET_TRY(auto found, find_table(connection_, to_.name));
    if (!found) {
      return Error{ErrorKind::schema, "the table is missing at the destination"}.with(
          "table", to_string(to_.name));
    }
    found_ = *std::move(found);
    return ok_status();
  }

  Status alter(const std::string& action) {
    return connection_.execute(fmt::format("ALTER TABLE {} {}", table_, action));
  }

  /// Keys that the source gave up must not refuse the rows that come now.
  Status release_keys() {
    FRESHET_TRY(release_primary_key());
    const std::vector<std::string> key = key_names(from_);
    if (key.empty() || key == key_names(to_)) return ok_status();
    return connection_.execute(
        "DROP INDEX IF EXISTS " +
        quote_identifier(TableName{to_.name.schema, key_index_name(to_.name, key)}));
  }

  Status release_primary_key() {
    if (primary_key(from_).empty() || primary_key(from_) == primary_key(to_)) return ok_status();
    const UniqueKey* old_key = found_.find_key(primary_key(from_));
    if (old_key == nullptr || !old_key->is_primary) return ok_status();
    FRESHET_TRY(const pg::Rows name,
                connection_.query("SELECT quote_ident(conname) FROM pg_constraint "
                                  "WHERE contype = 'p' AND conrelid = " +
                                  found_.oid));
    if (name.rows() == 0) return ok_status();
    return alter("DROP CONSTRAINT " + name.string(0, 0));
  }

  Status drop_columns() {
    for (const Column& column : from_.columns) {
      if (find_same(to_, column) != nullptr) continue;
      if (found_.find(column.name) == nullptr) continue;
      FRESHET_TRY(alter("DROP COLUMN " + quote_identifier(column.name)));
    }
    return ok_status();
  }

  /// In two steps by way of names of our own, so that names may be exchanged.
  Status rename_columns() {
    std::vector<std::pair<std::string, std::string>> second;
    for (const Column& column : from_.columns) {
      const Column* same = find_same(to_, column);
      if (same == nullptr || same->name == column.name) continue;
      if (found_.find(column.name) == nullptr) continue;  // A replay.
      const std::string between = fmt::format("freshet_rename_{}", column.attnum);
      FRESHET_TRY(rename(column.name, between));
      second.emplace_back(between, same->name);
    }
    for (const auto& [between, name] : second)
      FRESHET_TRY(rename(between, name));
    return ok_status();
  }

  Status rename(const std::string& name, const std::string& to) {
    return alter(
        fmt::format("RENAME COLUMN {} TO {}", quote_identifier(name), quote_identifier(to)));
  }

  Status make_column(const Column& column, const std::string& type) {
    const FoundColumn* here = found_.find(column.name);
    if (here == nullptr) return add_column(column, type);
    if (here->is_not_null && !column.is_not_null && !column.is_identity &&
        column.primary_key_place == 0 && !is_in_primary_key(column.name)) {
      FRESHET_TRY(release_identity(column));
      FRESHET_TRY(
          alter(fmt::format("ALTER COLUMN {} DROP NOT NULL", quote_identifier(column.name))));
    }
    const Column* before = find_same(from_, column);
    if (column.type_sql.empty() || type == here->declared_type) return ok_status();
    if (before != nullptr && before->type_sql == column.type_sql) return ok_status();
    if (before == nullptr && is_assignable(type, here->declared_type)) return ok_status();
    if (widens(here->declared_type, type)) {
      if (!may_be_identity(type)) FRESHET_TRY(release_identity(column));
      return alter(fmt::format("ALTER COLUMN {} TYPE {}", quote_identifier(column.name), type));
    }
    // Where there are no rows (a fresh copy is about to begin), any type turns into any other.
    FRESHET_TRY(const pg::Rows rows, connection_.query("SELECT NOT EXISTS (SELECT FROM " +
                                                       quote_identifier(to_.name) + ")"));
    if (rows.boolean(0, 0)) {
      FRESHET_TRY(release_identity(column));
      return alter(fmt::format("ALTER COLUMN {} DROP DEFAULT, ALTER COLUMN {} TYPE {} USING NULL",
                               quote_identifier(column.name), quote_identifier(column.name), type));
    }
    return Error{ErrorKind::schema, "a column's type was changed at the source"}
        .with("table", to_string(to_.name))
        .with("column", column.name)
        .with("type", here->declared_type)
        .with("wanted", type)
        .with("reason", "type_change");
  }

  /// An identity column takes neither NULL nor another type: the source's is none any more, and
  /// this one was made as it was.
  Status release_identity(const Column& column) {
    return alter(
        fmt::format("ALTER COLUMN {} DROP IDENTITY IF EXISTS", quote_identifier(column.name)));
  }

  /// Of a key that is the user's own: it must stay NOT NULL.
  bool is_in_primary_key(const std::string& name) const {
    return std::any_of(found_.keys.begin(), found_.keys.end(), [&](const UniqueKey& key) {
      return key.is_primary &&
             std::any_of(key.parts.begin(), key.parts.end(),
                         [&](const UniqueKey::Part& part) { return part.column == name; });
    });
  }

  Status add_column(const Column& column, const std::string& type) {
    const std::string name = quote_identifier(column.name);
    const bool is_not_null = column.is_not_null && !column.is_derived;
    if (column.missing_value) {
      // Rows that are here already get what old rows read as at the source; new ones bring theirs.
      FRESHET_TRY(
          alter(fmt::format("ADD COLUMN {} {}{} DEFAULT {}", name, type,
                            is_not_null ? " NOT NULL" : "", quote_literal(*column.missing_value))));
      return alter(fmt::format("ALTER COLUMN {} DROP DEFAULT", name));
    }
    FRESHET_TRY(alter(fmt::format("ADD COLUMN {} {}", name, type)));
    if (!is_not_null) return ok_status();
    FRESHET_TRY(const pg::Rows rows,
                connection_.query(fmt::format("SELECT EXISTS (SELECT FROM {})", table_)));
    if (!rows.boolean(0, 0)) return alter(fmt::format("ALTER COLUMN {} SET NOT NULL", name));
    log_warn("a column that is NOT NULL at the source stays nullable: old rows have no value",
             {{"table", to_string(to_.name)}, {"column", column.name}});
    return ok_status();
  }

  Status make_key() {
    const std::vector<std::string> primary = primary_key(to_);
    const bool has_primary = std::any_of(found_.keys.begin(), found_.keys.end(),
                                         [](const UniqueKey& key) { return key.is_primary; });
    if (!primary.empty() && !has_primary && primary != primary_key(from_)) {
      FRESHET_TRY(alter(fmt::format("ADD PRIMARY KEY ({})", quote_list(primary))));
      FRESHET_TRY(load());
    }
    const std::vector<std::string> key = key_names(to_);
    if (key.empty() || found_.find_key(key) != nullptr) return ok_status();
    return connection_.execute(create_key_index_sql(to_.name, key));
  }

  pg::Connection& connection_;
  const TableSchema& from_;
  const TableSchema& to_;
  const std::string table_;
  FoundTable found_;
  std::vector<std::string> types_;
};

}  // namespace

bool loses_columns(const TableSchema& from, const TableSchema& to) {
  const auto is_lost = [&](const Column& column) { return find_same(to, column) == nullptr; };
  return key_names(from) != key_names(to) || primary_key(from) != primary_key(to) ||
         std::any_of(from.columns.begin(), from.columns.end(), is_lost);
}

std::vector<std::string> lost_names(const TableSchema& from, const TableSchema& to) {
  std::vector<std::string> lost;
  for (const Column& column : from.columns) {
    const Column* const same = find_same(to, column);
    if (same == nullptr || same->name != column.name) lost.push_back(column.name);
  }
  return lost;
}

Status evolve_table(pg::Connection& connection, const TableSchema& from, const TableSchema& to) {
  return Evolution{connection, from, to}.run();
}

}  // namespace freshet::postgres
