#include "source/catalog.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "base/try.h"
#include "pg/array_literal.h"
#include "source/catalog_rows.h"
#include "source/ddl_capture.h"
#include "source/sql/sql.h"
#include "source/table_read.h"
#include "types/builtin_type.h"

namespace freshet::source {
namespace {

using Parameter = std::optional<std::string_view>;

void take_definition(TableSchema& schema, const std::map<Oid, Definition>& definitions) {
  const auto found = definitions.find(schema.relation);
  if (found == definitions.end()) return;
  schema.definition = found->second.text;
  schema.files = found->second.files;
}

struct HeapList {
  std::vector<Heap> heaps;
  double rows_estimated = 0;
};

Result<std::map<Oid, HeapList>> list_heaps(pg::Connection& connection,
                                           std::span<const Oid> relations,
                                           bool with_sizes) {
  const std::string oids =
      pg::integer_array_literal(relations, [](Oid oid) { return to_integer(oid); });
  const std::array<Parameter, 2> parameters{oids, with_sizes ? "true" : "false"};
  FRESHET_TRY(const pg::Rows rows, connection.query(sql::kSqlHeaps, parameters));
  std::map<Oid, HeapList> lists;
  for (int row = 0; row < rows.rows(); ++row) {
    HeapList& list = lists[rows.oid(row, 7)];
    list.heaps.push_back({.relation = rows.oid(row, 0),
                          .name = {rows.string(row, 1), rows.string(row, 2)},
                          .relfilenode = static_cast<std::uint32_t>(rows.unsigned_integer(row, 3)),
                          .pages = rows.unsigned_integer(row, 4),
                          .is_foreign = rows.boolean(row, 5)});
    const std::string_view estimate = rows.text(row, 6);
    double tuples = 0;
    std::from_chars(estimate.data(), estimate.data() + estimate.size(), tuples);
    list.rows_estimated += tuples;
  }
  return lists;
}

Result<std::map<Oid, std::vector<TableName>>> load_children(pg::Connection& connection,
                                                            std::span<const Oid> relations) {
  FRESHET_TRY(const pg::Rows rows, ask_about(connection, sql::kSqlInheritanceChildren, relations));
  std::map<Oid, std::vector<TableName>> children;
  for (int row = 0; row < rows.rows(); ++row)
    children[rows.oid(row, 2)].push_back({rows.string(row, 0), rows.string(row, 1)});
  return children;
}

// Of Definition::files: oid and relfilenode.
std::vector<std::pair<std::string_view, std::string_view>> split_files(std::string_view files) {
  std::vector<std::pair<std::string_view, std::string_view>> found;
  while (!files.empty()) {
    const std::string_view entry = files.substr(0, files.find(' '));
    const std::size_t colon = std::min(entry.find(':'), entry.size() - 1);
    found.emplace_back(entry.substr(0, colon), entry.substr(colon + 1));
    files.remove_prefix(std::min(entry.size() + 1, files.size()));
  }
  return found;
}

CatalogTable read_table(const pg::Rows& rows, int row) {
  CatalogTable table;
  table.schema.relation = rows.oid(row, 0);
  table.kind = rows.text(row, 1).front();
  table.persistence = rows.text(row, 2).front();
  table.schema.identity = static_cast<ReplicaIdentity>(rows.text(row, 3).front());
  table.identity_index = rows.string(row, 4);
  table.has_row_security = rows.boolean(row, 5);
  table.is_partition = rows.boolean(row, 6);
  table.root = {rows.string(row, 7), rows.string(row, 8)};
  table.can_select = rows.boolean(row, 9);
  table.schema.name = {rows.string(row, 10), rows.string(row, 11)};
  return table;
}

void take_columns(CatalogTable& table, ColumnList& list) {
  for (CatalogColumn& column : list.columns) {
    if (column.is_generated) {
      table.generated_columns.push_back(std::move(column.column.name));
    } else {
      table.schema.columns.push_back(std::move(column.column));
    }
  }
}

Status check_all_found(std::span<const CatalogTable> tables, std::span<const TableName> names) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i < tables.size() && tables[i].schema.name == names[i]) continue;
    return Error{ErrorKind::setting, "the table does not exist at the source"}
        .with("table", to_string(names[i]))
        .fix("check schema and name (upper and lower case matter), and the database in the url");
  }
  return {};
}

void take_over(Column& column, const Column& known) {
  column.attnum = known.attnum;
  column.is_not_null = known.is_not_null;
  column.primary_key_place = known.primary_key_place;
  column.missing_value = known.missing_value;
  if (column.type != known.type) return;
  column.is_byte_comparable = known.is_byte_comparable;
  if (column.type_sql.empty()) column.type_sql = known.type_sql;
}

// Columns that the stream announced.
std::size_t announced_count(const TableSchema& schema) {
  return static_cast<std::size_t>(
      std::count_if(schema.columns.begin(), schema.columns.end(),
                    [](const Column& column) { return !column.is_derived; }));
}

// Of a definition: the oid of the primary key, as definition.sql writes it.
std::string_view primary_key_of(std::string_view definition) {
  return definition.substr(std::min(definition.find(' '), definition.size()));
}

/// The primary key as of the stream, which the catalogue may be ahead of. Under the standard
/// identity the stream flags its columns. Else only the catalogue tells, and is believed where the
/// key is the one known before: rows that come before another was made may break it.
void settle_primary_key(TableSchema& schema, const TableSchema* previous) {
  constexpr std::string_view kUnknownKey = " ?";
  if (schema.identity == ReplicaIdentity::standard) {
    const bool is_current = std::all_of(
        schema.columns.begin(), schema.columns.end(),
        [](const Column& column) { return column.is_identity == (column.primary_key_place > 0); });
    if (is_current) return;
    std::int16_t place = 0;
    for (Column& column : schema.columns) {
      if (column.is_identity) ++place;
      column.primary_key_place = column.is_identity ? place : std::int16_t{0};
    }
  } else {
    if (previous == nullptr || previous->definition.empty()) return;
    if (primary_key_of(schema.definition) == primary_key_of(previous->definition)) return;
    for (Column& column : schema.columns)
      column.primary_key_place = 0;
  }
  schema.definition.resize(schema.definition.size() - primary_key_of(schema.definition).size());
  schema.definition += kUnknownKey;
}

/// False if nobody knows which columns these are. The catalogue may be ahead: what is as it was
/// before, but not as it is now, has the definition of before.
bool complete(TableSchema& schema, const TableSchema* previous, const ColumnList& present) {
  for (Column& column : schema.columns)
    column.is_builtin_type = is_builtin(column.type);
  const std::vector<MatchedColumn> matched = match_columns(schema, previous, present);
  const auto all = [&](bool MatchedColumn::* is) {
    return std::all_of(matched.begin(), matched.end(),
                       [&](const MatchedColumn& column) { return column.*is; });
  };
  const bool is_whole = previous != nullptr && matched.size() == announced_count(*previous);
  if (is_whole && all(&MatchedColumn::is_as_before) && !all(&MatchedColumn::is_as_now)) {
    schema.definition = previous->definition;
    schema.files = previous->files;
  }
  for (std::size_t place = 0; place < matched.size(); ++place) {
    Column& column = schema.columns[place];
    if (matched[place].known != nullptr) take_over(column, *matched[place].known);
    column.attnum = matched[place].attnum;
  }
  settle_primary_key(schema, previous);
  return !matched.empty() || schema.columns.empty();
}

/// What was announced before, announced again; or, where what came after it was followed already
/// before a kill, the columns of their names.
void take_previous(TableSchema& schema, const TableSchema& previous) {
  schema.definition = previous.definition;
  schema.files = previous.files;
  for (Column& column : schema.columns) {
    const int place = previous.find(column.name);
    if (place >= 0) take_over(column, previous.columns[static_cast<std::size_t>(place)]);
  }
  settle_primary_key(schema, &previous);
}

/// Without what only their files tell, and their definitions.
Result<std::vector<CatalogTable>> load_entries(pg::Connection& connection,
                                               std::span<const TableName> names) {
  const pg::TableNameArrays wanted = pg::array_literals(names);
  const std::array<Parameter, 2> parameters{wanted.schemas, wanted.tables};
  FRESHET_TRY(const pg::Rows rows, connection.query(sql::kSqlTable, parameters));
  std::vector<CatalogTable> tables;
  std::vector<Oid> relations;
  for (int row = 0; row < rows.rows(); ++row) {
    tables.push_back(read_table(rows, row));
    relations.push_back(tables.back().schema.relation);
  }
  FRESHET_TRY(check_all_found(tables, names));
  FRESHET_TRY(auto columns, load_columns(connection, relations));
  for (CatalogTable& table : tables)
    take_columns(table, columns[table.schema.relation]);
  return tables;
}

}  // namespace

Result<std::vector<CatalogTable>> load_tables(pg::Connection& connection,
                                              std::span<const TableName> names) {
  FRESHET_TRY(auto tables, load_entries(connection, names));
  std::vector<Oid> relations;
  for (const CatalogTable& table : tables)
    relations.push_back(table.schema.relation);
  FRESHET_TRY(auto heaps, list_heaps(connection, relations, true));
  FRESHET_TRY(auto children, load_children(connection, relations));
  FRESHET_TRY(const auto definitions, load_definitions(connection, relations));
  for (CatalogTable& table : tables) {
    const Oid relation = table.schema.relation;
    table.rows_estimated = heaps[relation].rows_estimated;
    table.heaps = std::move(heaps[relation].heaps);
    table.inheritance_children = std::move(children[relation]);
    take_definition(table.schema, definitions);
  }
  return tables;
}

Result<std::vector<TableSchema>> load_schemas(pg::Connection& connection,
                                              std::span<const TableName> names) {
  FRESHET_TRY(auto tables, load_entries(connection, names));
  std::vector<TableSchema> schemas;
  for (CatalogTable& table : tables)
    schemas.push_back(std::move(table.schema));
  return schemas;
}

Result<std::vector<std::vector<Heap>>> load_heaps(pg::Connection& connection,
                                                  std::span<const Oid> relations) {
  FRESHET_TRY(auto lists, list_heaps(connection, relations, false));
  std::vector<std::vector<Heap>> heaps;
  for (const Oid relation : relations)
    heaps.push_back(std::move(lists[relation].heaps));
  return heaps;
}

Result<CatalogTable> load_table(pg::Connection& connection, const TableName& name) {
  FRESHET_TRY(auto tables, load_tables(connection, std::span(&name, 1)));
  return std::move(tables.front());
}

Result<std::vector<TableName>> find_large_bytea(pg::Connection& connection,
                                                std::span<const Oid> relations) {
  FRESHET_TRY(const pg::Rows rows, ask_about(connection, sql::kSqlLargeBytea, relations));
  std::vector<TableName> tables;
  for (int row = 0; row < rows.rows(); ++row)
    tables.push_back({rows.string(row, 0), rows.string(row, 1)});
  return tables;
}

Result<TableSchema> select_columns(const CatalogTable& table,
                                   std::span<const std::string> columns) {
  TableSchema selected = table.schema;
  if (columns.empty()) return selected;
  const std::string name = to_string(table.schema.name);
  for (const std::string& wanted : columns) {
    if (table.schema.find(wanted) >= 0) continue;
    return Error{ErrorKind::config, "the table has no such column, or it is generated"}
        .with("table", name)
        .with("column", wanted);
  }
  const auto is_wanted = [&](const Column& column) {
    return std::find(columns.begin(), columns.end(), column.name) != columns.end();
  };
  selected.columns.clear();
  for (const Column& column : table.schema.columns) {
    if (is_wanted(column)) {
      selected.columns.push_back(column);
    } else if (column.is_identity && table.schema.identity != ReplicaIdentity::full) {
      return Error{ErrorKind::config, "`columns` leaves out a column of the replica identity"}
          .with("table", name)
          .with("column", column.name)
          .fix("add \"" + column.name + "\" to `columns`: rows are addressed by it");
    }
  }
  return selected;
}

Result<std::vector<Enriched>> enrich(pg::Connection& connection,
                                     std::span<const Announced> announced) {
  std::vector<std::shared_ptr<TableSchema>> schemas;
  std::vector<Oid> relations;
  for (const Announced& table : announced) {
    schemas.push_back(std::make_shared<TableSchema>(*table.streamed));
    relations.push_back(table.streamed->relation);
  }
  // Columns and definitions of one snapshot; and no function that waits for a table's lock.
  ReadTransaction transaction{connection};
  FRESHET_TRY(transaction.begin({}));
  FRESHET_TRY(auto lists, load_columns(connection, relations));
  FRESHET_TRY(const auto definitions, load_definitions(connection, relations));
  FRESHET_TRY(fill_types(connection, schemas));
  std::optional<DdlCaptureState> capture;
  std::vector<Enriched> enriched;
  for (std::size_t i = 0; i < schemas.size(); ++i) {
    TableSchema& schema = *schemas[i];
    const ColumnList& present = lists[relations[i]];
    const SchemaPtr& before = announced[i].previous;
    const bool is_same_table = before && before->relation == schema.relation;
    take_definition(schema, definitions);
    bool is_certain = complete(schema, is_same_table ? before.get() : nullptr, present);
    if (!is_certain && is_same_table) {
      // Other definitions have come in the stream, or will.
      if (!capture) {
        FRESHET_TRY(capture, look_at_ddl_capture(connection));
      }
      is_certain = capture->kind == DdlCaptureState::Kind::installed;
      if (is_certain) take_previous(schema, *before);
    }
    // One that is gone is nobody's to copy again.
    enriched.push_back({schemas[i], is_certain || present.columns.empty()});
  }
  return enriched;
}

SchemaPtr settle_captured(const SchemaPtr& captured, const SchemaPtr& previous) {
  auto schema = std::make_shared<TableSchema>(*captured);
  if (schema->identity == ReplicaIdentity::standard) settle_primary_key(*schema, previous.get());
  return schema;
}

bool has_other_files(std::string_view before, std::string_view now) {
  const auto present = split_files(now);
  const std::map<std::string_view, std::string_view> file_of{present.begin(), present.end()};
  const auto past = split_files(before);
  return std::any_of(past.begin(), past.end(), [&](const auto& entry) {
    const auto file = file_of.find(entry.first);
    return file != file_of.end() && file->second != entry.second;
  });
}

bool was_rewritten(const TableSchema& before, const TableSchema& now) {
  const bool is_known = !before.definition.empty() && !now.definition.empty();
  return is_known && before.definition != now.definition &&
         has_other_files(before.files, now.files);
}

const Column* find_number(const TableSchema& schema, std::int16_t attnum) {
  const auto found = std::find_if(schema.columns.begin(), schema.columns.end(),
                                  [&](const Column& column) { return column.attnum == attnum; });
  return found == schema.columns.end() ? nullptr : &*found;
}

bool has_column_made_again(const TableSchema& from, const TableSchema& to) {
  return std::any_of(from.columns.begin(), from.columns.end(), [&](const Column& column) {
    const int place = to.find(column.name);
    if (column.attnum <= 0 || place < 0) return false;
    const Column& now = to.columns[static_cast<std::size_t>(place)];
    return now.attnum > column.attnum && is_same_column(now, column) &&
           find_number(to, column.attnum) == nullptr;
  });
}

std::vector<ColumnRename> find_renames(const TableSchema& from, const TableSchema& to) {
  std::vector<ColumnRename> renames;
  for (const Column& before : from.columns) {
    if (before.attnum <= 0) continue;
    const Column* const after = find_number(to, before.attnum);
    if (after != nullptr && after->name != before.name) {
      renames.push_back({before.name, after->name});
    }
  }
  return renames;
}

}  // namespace freshet::source
