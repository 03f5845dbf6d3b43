#include "source/captured_definition.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "base/try.h"
#include "source/catalog.h"
#include "source/catalog_rows.h"
#include "source/ddl_capture.h"
#include "source/sql/sql.h"
#include "source/table_read.h"

namespace freshet::source {
namespace {

constexpr std::uint32_t kFirstNormalXid = 3;

/// A row of pg_attribute, or with the number 0 another one that defines the table.
struct Entry {
  Xid writer{0};
  Column column;
  bool is_dropped = false;
  bool is_generated = false;
};

struct TableFacts {
  std::vector<Entry> entries;
  std::vector<CatalogColumn> columns;
  Definition definition;
};

using FactsOfTables = std::map<Oid, TableFacts>;

Result<FactsOfTables> load_facts(pg::Connection& connection, std::span<const Oid> relations) {
  FRESHET_TRY(const pg::Rows rows, ask_about(connection, sql::kSqlCatalogEntries, relations));
  FactsOfTables facts;
  for (int row = 0; row < rows.rows(); ++row) {
    Entry& entry = facts[rows.oid(row, 0)].entries.emplace_back();
    entry.writer = Xid{static_cast<std::uint32_t>(rows.unsigned_integer(row, 1))};
    entry.column.attnum = static_cast<std::int16_t>(rows.integer(row, 2));
    entry.column.name = rows.string(row, 3);
    entry.column.type = rows.oid(row, 4);
    entry.column.typmod = static_cast<std::int32_t>(rows.integer(row, 5));
    entry.is_dropped = rows.boolean(row, 6);
    entry.is_generated = rows.boolean(row, 7);
  }
  FRESHET_TRY(auto columns, load_columns(connection, relations));
  FRESHET_TRY(const auto definitions, load_definitions(connection, relations));
  for (auto& [relation, table] : facts) {
    table.columns = std::move(columns[relation].columns);
    table.definition = definitions.at(relation);
  }
  return facts;
}

/// An entry that a transaction before `xid` wrote was in force when `xid` changed the table. One
/// that `xid` itself wrote may be its second.
bool is_older(Xid writer, Xid xid) {
  const std::uint32_t number = to_integer(writer);
  return number < kFirstNormalXid || static_cast<std::int32_t>(number - to_integer(xid)) < 0;
}

/// All but whether it identifies rows, which Relation messages tell.
void take_over(Column& column, const Column& known) {
  const bool is_identity = column.is_identity;
  column = known;
  column.is_identity = is_identity;
}

/// The catalogue still has this very definition. False if the columns are others all the same.
bool take_current(TableSchema& schema, const TableFacts& facts) {
  std::vector<const Column*> columns;
  for (const CatalogColumn& known : facts.columns) {
    if (!is_hearsay(schema) || !known.is_generated) columns.push_back(&known.column);
  }
  const std::vector<const Column*> matched = match_in_order(schema, columns);
  const bool is_whole = matched.size() == columns.size();
  if (matched.size() != schema.columns.size() || (is_hearsay(schema) && !is_whole)) return false;
  for (std::size_t i = 0; i < matched.size(); ++i)
    take_over(schema.columns[i], *matched[i]);
  schema.files = facts.definition.files;
  return true;
}

/// Whether the catalogue, which is ahead, could come of it.
bool may_precede(const TableSchema& schema, const TableFacts& facts, Xid xid) {
  std::int16_t last = 0;
  for (const Column& column : schema.columns) {
    const bool is_known =
        std::any_of(facts.entries.begin(), facts.entries.end(),
                    [&](const Entry& entry) { return entry.column.attnum == column.attnum; });
    if (!is_known || column.attnum <= std::exchange(last, column.attnum)) return false;
  }
  return std::all_of(facts.entries.begin(), facts.entries.end(), [&](const Entry& entry) {
    if (entry.column.attnum == 0 || !is_older(entry.writer, xid)) return true;
    const Column* const captured = find_number(schema, entry.column.attnum);
    if (entry.is_dropped) return captured == nullptr;
    // A publication may leave out others.
    if (captured == nullptr) return !is_hearsay(schema) || entry.is_generated;
    return is_same_column(*captured, entry.column);
  });
}

void take_older(TableSchema& schema, const TableFacts& facts, Xid xid) {
  std::set<std::int16_t> older;
  for (const Entry& entry : facts.entries) {
    if (is_older(entry.writer, xid)) older.insert(entry.column.attnum);
  }
  for (Column& column : schema.columns) {
    const auto known = std::find_if(
        facts.columns.begin(), facts.columns.end(),
        [&](const CatalogColumn& other) { return other.column.attnum == column.attnum; });
    if (known == facts.columns.end() || !older.contains(column.attnum)) continue;
    const std::int16_t place = column.primary_key_place;
    take_over(column, known->column);
    column.primary_key_place = place;
  }
}

/// A type that is gone is called as it was before.
void take_lost_types(TableSchema& schema, const TableSchema* previous) {
  if (previous == nullptr) return;
  for (Column& column : schema.columns) {
    const Column* const known = find_number(*previous, column.attnum);
    const bool is_lost = column.type_sql.empty() && known != nullptr && known->type == column.type;
    if (is_lost) column.type_sql = known->type_sql;
  }
}

bool is_believed(TableSchema& schema, const CapturedDefinition& captured, const TableFacts& facts) {
  const SchemaPtr& previous = captured.previous;
  if (is_hearsay(schema) && (!previous || previous->relation != schema.relation)) return false;
  // Changes of one transaction have one text.
  if (facts.definition.text == schema.definition && take_current(schema, facts)) return true;
  const bool is_ahead =
      std::any_of(facts.entries.begin(), facts.entries.end(),
                  [&](const Entry& entry) { return !is_older(entry.writer, captured.xid); });
  if (!is_ahead || !may_precede(schema, facts, captured.xid)) return false;
  take_older(schema, facts, captured.xid);
  take_lost_types(schema, previous.get());
  return true;
}

bool is_doubtful(const CapturedDefinition& captured, const TableFacts& facts) {
  const SchemaPtr& previous = captured.previous;
  const bool is_same_table = previous && previous->relation == captured.streamed->relation;
  return is_same_table && previous->definition != facts.definition.text;
}

}  // namespace

bool is_hearsay(const TableSchema& captured) {
  return captured.version == 0;
}

Result<std::vector<CheckedDefinition>> check_captured(
    pg::Connection& connection, std::span<const CapturedDefinition> captured) {
  std::vector<CheckedDefinition> checked(captured.size());
  ReadTransaction transaction{connection};
  FRESHET_TRY(transaction.begin({}));
  FRESHET_TRY(const DdlCaptureState state, look_at_ddl_capture(connection));
  if (state.kind == DdlCaptureState::Kind::absent) return checked;
  std::vector<std::shared_ptr<TableSchema>> schemas;
  std::vector<Oid> relations;
  for (const CapturedDefinition& one : captured) {
    schemas.push_back(std::make_shared<TableSchema>(*one.streamed));
    relations.push_back(one.streamed->relation);
  }
  FRESHET_TRY(const FactsOfTables facts, load_facts(connection, relations));
  FRESHET_TRY(fill_types(connection, schemas));
  for (std::size_t i = 0; i < captured.size(); ++i) {
    const auto found = facts.find(relations[i]);
    if (found == facts.end()) continue;
    if (!is_believed(*schemas[i], captured[i], found->second)) {
      checked[i].is_doubtful = is_doubtful(captured[i], found->second);
      continue;
    }
    schemas[i]->version = std::max<std::uint64_t>(schemas[i]->version, 1);
    checked[i].believed = std::move(schemas[i]);
  }
  return checked;
}

SchemaPtr without_capture(const TableSchema& captured) {
  auto schema = std::make_shared<TableSchema>(captured);
  schema->definition.clear();
  schema->files.clear();
  for (Column& column : schema->columns) {
    Column plain;
    plain.name = std::move(column.name);
    plain.type = column.type;
    plain.typmod = column.typmod;
    plain.is_identity = column.is_identity;
    plain.is_builtin_type = column.is_builtin_type;
    column = std::move(plain);
  }
  return schema;
}

}  // namespace freshet::source
