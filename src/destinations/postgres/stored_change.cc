#include "destinations/postgres/stored_change.h"

#include <algorithm>

#include "base/try.h"
#include "types/op_name.h"

namespace freshet::postgres {
namespace {

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::vector<std::string> names_of(const RowImage& image) {
  std::vector<std::string> names;
  for (const auto& [name, value] : image)
    names.push_back(name);
  return names;
}

ReplicaIdentity identity_of(Addressing addressing) {
  switch (addressing) {
    case Addressing::netted:
    case Addressing::ordered:
      return ReplicaIdentity::index;
    case Addressing::whole_row:
      return ReplicaIdentity::full;
    case Addressing::none:
      break;
  }
  return ReplicaIdentity::nothing;
}

}  // namespace

Result<SchemaPtr> StoredSchemas::get(const QuarantineEntry& entry,
                                     const std::vector<std::string>& columns) {
  const std::optional<Addressing> addressing = parse_addressing(entry.addressing);
  FRESHET_TRY(const std::vector<std::string> key, parse_names(entry.key_columns));
  if (!addressing) {
    return Error{ErrorKind::storage, "a row of freshet.quarantine is damaged"};
  }
  std::string signature = to_string(entry.table) + '\n' + entry.addressing + entry.key_columns;
  for (const std::string& column : columns)
    signature += '\n' + column;
  SchemaPtr& known = schemas_[signature];
  if (known) return known;
  auto schema = std::make_shared<TableSchema>();
  schema->name = entry.table;
  schema->identity = identity_of(*addressing);
  for (const std::string& name : columns) {
    Column column;
    column.name = name;
    column.is_identity = contains(key, name) || *addressing == Addressing::whole_row;
    column.is_byte_comparable = *addressing == Addressing::netted;
    column.is_derived = is_derived(entry.table, name);
    schema->columns.push_back(std::move(column));
  }
  known = std::move(schema);
  return known;
}

bool StoredSchemas::is_derived(const TableName& table, const std::string& column) const {
  const auto found = definitions_.find(table);
  if (found == definitions_.end()) return false;
  const int place = found->second->find(column);
  return place >= 0 && found->second->columns[static_cast<std::size_t>(place)].is_derived;
}

Status StoredChanges::add(const QuarantineEntry& entry) {
  const std::optional<Op> op = parse_op(entry.op);
  if (!op) return Error{ErrorKind::storage, "a row of freshet.quarantine is damaged"};
  RowImage before;
  RowImage after;
  if (!entry.before.empty()) {
    FRESHET_TRY(before, parse_image(entry.before));
  }
  if (!entry.after.empty()) {
    FRESHET_TRY(after, parse_image(entry.after));
  }
  FRESHET_TRY(const std::vector<std::string> unchanged, parse_names(entry.unchanged));
  std::vector<std::string> columns = names_of(*op == Op::remove ? before : after);
  columns.insert(columns.end(), unchanged.begin(), unchanged.end());
  std::sort(columns.begin(), columns.end());
  if (*op == Op::remove) columns = columns_for(entry.table, columns);
  FRESHET_TRY(const SchemaPtr schema, schemas_.get(entry, columns));
  Change change;
  change.op = *op;
  change.id = {.commit = entry.commit_lsn, .ordinal = places_.size()};
  change.lsn = entry.lsn;
  if (!entry.before.empty()) {
    change.before = row(*schema, before, {});
    change.old_row = schema->identity == ReplicaIdentity::full ? OldRow::full : OldRow::key;
  }
  if (*op != Op::remove) change.after = row(*schema, after, unchanged);
  places_.push_back({.id = entry.id, .schema = schema, .change = change});
  return ok_status();
}

std::vector<std::string> StoredChanges::columns_for(const TableName& table,
                                                    const std::vector<std::string>& needed) const {
  for (auto place = places_.rbegin(); place != places_.rend(); ++place) {
    if (place->schema->name != table) continue;
    std::vector<std::string> columns;
    for (const Column& column : place->schema->columns)
      columns.push_back(column.name);
    return std::includes(columns.begin(), columns.end(), needed.begin(), needed.end()) ? columns
                                                                                       : needed;
  }
  return needed;
}

RowView StoredChanges::row(const TableSchema& schema,
                           const RowImage& image,
                           const std::vector<std::string>& unchanged) {
  std::vector<Value>& values = rows_.emplace_back(schema.columns.size());
  for (const auto& [name, text] : image) {
    const int place = schema.find(name);
    if (place < 0 || !text) continue;
    values[static_cast<std::size_t>(place)] = Value::text(texts_.emplace_back(*text));
  }
  for (const std::string& name : unchanged) {
    const int place = schema.find(name);
    if (place >= 0) values[static_cast<std::size_t>(place)] = Value::unchanged();
  }
  return values;
}

}  // namespace freshet::postgres
