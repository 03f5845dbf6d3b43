#include "source/catalog.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "base/try.h"
#include "source/sql/sql.h"

namespace freshet::source {
namespace {

using Parameter = std::optional<std::string_view>;

struct CatalogColumn {
  Column column;
  bool is_generated = false;
};

Oid oid_of(const pg::Rows& rows, int row, int column) {
  return Oid{static_cast<std::uint32_t>(rows.unsigned_integer(row, column))};
}

Result<std::vector<CatalogColumn>> load_columns(pg::Connection& connection, Oid relation) {
  const std::string oid = std::to_string(to_integer(relation));
  const std::array<Parameter, 1> parameters{oid};
  FRESHET_TRY(const pg::Rows rows, connection.query(sql::kSqlColumns, parameters));
  std::vector<CatalogColumn> columns;
  for (int row = 0; row < rows.rows(); ++row) {
    CatalogColumn& next = columns.emplace_back();
    next.column = {.name = rows.string(row, 0),
                   .type = oid_of(rows, row, 2),
                   .typmod = static_cast<std::int32_t>(rows.integer(row, 3)),
                   .type_sql = rows.string(row, 4),
                   .attnum = static_cast<std::int16_t>(rows.integer(row, 1)),
                   .is_not_null = rows.boolean(row, 5),
                   .is_identity = rows.boolean(row, 10),
                   .primary_key_place = static_cast<std::int16_t>(rows.integer(row, 9)),
                   .is_derived = false,
                   .is_builtin_type = rows.boolean(row, 7),
                   .is_byte_comparable = rows.boolean(row, 8),
                   .missing_value = {}};
    if (!rows.is_null(row, 11)) {
      next.column.missing_value = std::make_shared<const std::string>(rows.text(row, 11));
    }
    next.is_generated = rows.boolean(row, 6);
  }
  return columns;
}

Status load_definition(pg::Connection& connection, TableSchema& schema) {
  const std::string oid = std::to_string(to_integer(schema.relation));
  const std::array<Parameter, 1> parameters{oid};
  FRESHET_TRY(const pg::Rows rows, connection.query(sql::kSqlDefinition, parameters));
  schema.definition = rows.string(0, 0);
  return {};
}

struct HeapList {
  std::vector<Heap> heaps;
  double rows_estimated = 0;
};

Result<HeapList> load_heaps(pg::Connection& connection, Oid relation) {
  const std::string oid = std::to_string(to_integer(relation));
  const std::array<Parameter, 1> parameters{oid};
  FRESHET_TRY(const pg::Rows rows, connection.query(sql::kSqlHeaps, parameters));
  HeapList table;
  for (int row = 0; row < rows.rows(); ++row) {
    table.heaps.push_back({.relation = oid_of(rows, row, 0),
                           .name = {rows.string(row, 1), rows.string(row, 2)},
                           .relfilenode = static_cast<std::uint32_t>(rows.unsigned_integer(row, 3)),
                           .pages = rows.unsigned_integer(row, 4),
                           .is_foreign = rows.boolean(row, 5)});
    const std::string_view estimate = rows.text(row, 6);
    double tuples = 0;
    std::from_chars(estimate.data(), estimate.data() + estimate.size(), tuples);
    table.rows_estimated += tuples;
  }
  return table;
}

// "oid:relfilenode" of each heap.
std::string files_of(const std::vector<Heap>& heaps) {
  std::string files;
  for (const Heap& heap : heaps) {
    if (heap.relfilenode == 0) continue;
    files += (files.empty() ? "" : " ") + std::to_string(to_integer(heap.relation)) + ":" +
             std::to_string(heap.relfilenode);
  }
  return files;
}

Status load_children(pg::Connection& connection, CatalogTable& table) {
  const std::string oid = std::to_string(to_integer(table.schema.relation));
  const std::array<Parameter, 1> parameters{oid};
  FRESHET_TRY(const pg::Rows rows, connection.query(sql::kSqlInheritanceChildren, parameters));
  for (int row = 0; row < rows.rows(); ++row) {
    table.inheritance_children.push_back({rows.string(row, 0), rows.string(row, 1)});
  }
  return {};
}

// The reverse of files_of().
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

CatalogTable read_table(const pg::Rows& rows, const TableName& name) {
  CatalogTable table;
  table.schema.relation = oid_of(rows, 0, 0);
  table.schema.name = name;
  table.kind = rows.text(0, 1).front();
  table.persistence = rows.text(0, 2).front();
  table.schema.identity = static_cast<ReplicaIdentity>(rows.text(0, 3).front());
  table.identity_index = rows.string(0, 4);
  table.has_row_security = rows.boolean(0, 5);
  table.is_partition = rows.boolean(0, 6);
  table.root = {rows.string(0, 7), rows.string(0, 8)};
  table.can_select = rows.boolean(0, 9);
  return table;
}

/// `{1,2,3}` for a parameter of an integer array type.
template <typename Number>
std::string array_of(const std::vector<Column>& columns, Number number) {
  std::string text = "{";
  for (const Column& column : columns) {
    if (text.size() > 1) text += ',';
    text += std::to_string(number(column));
  }
  return text + "}";
}

/// Types as the stream has them, which may be older than the catalogue's.
Status fill_types(pg::Connection& connection, TableSchema& schema) {
  const std::string types =
      array_of(schema.columns, [](const Column& column) { return to_integer(column.type); });
  const std::string typmods =
      array_of(schema.columns, [](const Column& column) { return column.typmod; });
  const std::array<Parameter, 2> parameters{types, typmods};
  FRESHET_TRY(const pg::Rows rows, connection.query(sql::kSqlFormatTypes, parameters));
  for (int row = 0; row < rows.rows(); ++row) {
    schema.columns[static_cast<std::size_t>(row)].type_sql = rows.text(row, 0);
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

bool is_renamed_since(const std::vector<CatalogColumn>& columns,
                      const Column& known,
                      const TableSchema& streamed) {
  return std::any_of(columns.begin(), columns.end(), [&](const CatalogColumn& candidate) {
    return candidate.column.attnum == known.attnum && streamed.find(candidate.column.name) < 0;
  });
}

/// The previous column which `schema.columns[place]`, unknown to the catalogue, most likely is: the
/// one of its name; or the only one that lost its name and lives on under a third; or, with as many
/// columns as before, the one in its place.
const Column* find_previous(const TableSchema& schema,
                            std::size_t place,
                            const TableSchema& previous,
                            const std::vector<CatalogColumn>& columns) {
  const Column& column = schema.columns[place];
  const int same_name = previous.find(column.name);
  if (same_name >= 0) return &previous.columns[static_cast<std::size_t>(same_name)];
  const auto fits = [&](const Column& known) {
    return known.type == column.type && schema.find(known.name) < 0;
  };
  std::vector<const Column*> renamed;
  for (const Column& known : previous.columns) {
    if (fits(known) && is_renamed_since(columns, known, schema)) renamed.push_back(&known);
  }
  if (renamed.size() == 1) return renamed.front();
  if (schema.columns.size() != previous.columns.size()) return nullptr;
  return fits(previous.columns[place]) ? &previous.columns[place] : nullptr;
}

bool is_same_column(const Column& a, const Column& b) {
  return a.name == b.name && a.type == b.type && a.typmod == b.typmod;
}

/// For each column of `schema` the one of `known` that it is, if all are there in this order:
/// columns are announced by attribute number. Empty if not.
std::vector<const Column*> match_in_order(const TableSchema& schema,
                                          const std::vector<const Column*>& known) {
  std::vector<const Column*> found;
  auto next = known.begin();
  for (const Column& column : schema.columns) {
    next = std::find_if(next, known.end(), [&](const Column* candidate) {
      return is_same_column(*candidate, column);
    });
    if (next == known.end()) return {};
    found.push_back(*next++);
  }
  return found;
}

/// The catalogue may be ahead of the stream. Where the columns announced are those of `previous`,
/// they are taken for the same ones: another column of an old name would have been announced
/// differently or not at all. Else, where they are all in the catalogue, they are what it says.
/// False if neither.
bool take_known(TableSchema& schema,
                const TableSchema* previous,
                const std::vector<CatalogColumn>& columns) {
  std::vector<const Column*> now;
  for (const CatalogColumn& column : columns)
    now.push_back(&column.column);
  const std::vector<const Column*> present = match_in_order(schema, now);
  std::vector<const Column*> before;
  if (previous != nullptr) {
    for (const Column& column : previous->columns) {
      if (!column.is_derived && column.attnum > 0) before.push_back(&column);
    }
  }
  const std::vector<const Column*> past = before.size() == schema.columns.size()
                                              ? match_in_order(schema, before)
                                              : std::vector<const Column*>{};
  const bool is_unchanged =
      !past.empty() && !present.empty() &&
      std::equal(past.begin(), past.end(), present.begin(),
                 [](const Column* a, const Column* b) { return a->attnum == b->attnum; });
  const std::vector<const Column*>& known = past.empty() || is_unchanged ? present : past;
  if (known.empty()) return false;
  if (&known == &past) {
    schema.definition = previous->definition;
    schema.files = previous->files;
  }
  for (std::size_t place = 0; place < known.size(); ++place)
    take_over(schema.columns[place], *known[place]);
  return true;
}

}  // namespace

Result<CatalogTable> load_table(pg::Connection& connection, const TableName& name) {
  const std::array<Parameter, 2> parameters{name.schema, name.table};
  FRESHET_TRY(const pg::Rows rows, connection.query(sql::kSqlTable, parameters));
  if (rows.rows() == 0) {
    return Error{ErrorKind::setting, "the table does not exist at the source"}
        .with("table", to_string(name))
        .fix("check schema and name (upper and lower case matter), and the database in the url");
  }
  CatalogTable table = read_table(rows, name);
  FRESHET_TRY(auto columns, load_columns(connection, table.schema.relation));
  for (CatalogColumn& column : columns) {
    if (column.is_generated) {
      table.generated_columns.push_back(std::move(column.column.name));
    } else {
      table.schema.columns.push_back(std::move(column.column));
    }
  }
  FRESHET_TRY(HeapList heaps, load_heaps(connection, table.schema.relation));
  table.rows_estimated = heaps.rows_estimated;
  table.heaps = std::move(heaps.heaps);
  table.schema.files = files_of(table.heaps);
  FRESHET_TRY(load_children(connection, table));
  FRESHET_TRY(load_definition(connection, table.schema));
  return table;
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

Result<SchemaPtr> enrich(pg::Connection& connection,
                         const SchemaPtr& streamed,
                         const SchemaPtr& previous) {
  auto schema = std::make_shared<TableSchema>(*streamed);
  FRESHET_TRY(const auto columns, load_columns(connection, schema->relation));
  FRESHET_TRY(fill_types(connection, *schema));
  FRESHET_TRY(load_definition(connection, *schema));
  FRESHET_TRY(const HeapList heaps, load_heaps(connection, schema->relation));
  schema->files = files_of(heaps.heaps);
  for (Column& column : schema->columns)
    column.is_builtin_type = to_integer(column.type) < 16384;
  if (take_known(*schema, previous.get(), columns)) {
    settle_primary_key(*schema, previous.get());
    return SchemaPtr{std::move(schema)};
  }
  for (std::size_t place = 0; place < schema->columns.size(); ++place) {
    Column& column = schema->columns[place];
    const auto found = std::find_if(
        columns.begin(), columns.end(),
        [&](const CatalogColumn& candidate) { return candidate.column.name == column.name; });
    if (found != columns.end()) {
      take_over(column, found->column);
    } else if (previous != nullptr) {
      const Column* known = find_previous(*schema, place, *previous, columns);
      if (known != nullptr) take_over(column, *known);
    }
  }
  settle_primary_key(*schema, previous.get());
  return SchemaPtr{std::move(schema)};
}

bool was_rewritten(const TableSchema& before, const TableSchema& now) {
  const bool is_known = !before.definition.empty() && !now.definition.empty();
  if (!is_known || before.definition == now.definition) return false;
  const auto file_of = [](std::string_view files, std::string_view heap) -> std::string_view {
    for (const auto& [oid, file] : split_files(files)) {
      if (oid == heap) return file;
    }
    return {};
  };
  const auto files = split_files(before.files);
  return std::any_of(files.begin(), files.end(), [&](const auto& entry) {
    const std::string_view file = file_of(now.files, entry.first);
    return !file.empty() && file != entry.second;
  });
}

std::vector<ColumnRename> find_renames(const TableSchema& from, const TableSchema& to) {
  std::vector<ColumnRename> renames;
  for (const Column& before : from.columns) {
    if (before.attnum <= 0) continue;
    const auto after =
        std::find_if(to.columns.begin(), to.columns.end(),
                     [&](const Column& candidate) { return candidate.attnum == before.attnum; });
    if (after != to.columns.end() && after->name != before.name) {
      renames.push_back({before.name, after->name});
    }
  }
  return renames;
}

}  // namespace freshet::source
