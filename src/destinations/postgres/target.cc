#include "destinations/postgres/target.h"

#include <algorithm>

#include "base/sql_quote.h"
#include "base/try.h"
#include "destinations/postgres/schema.h"
#include "types/binary_form.h"
#include "types/builtin_type.h"

namespace freshet::postgres {
namespace {

Addressing addressing_of(const TableSchema& schema, const Target& target) {
  if (target.key.empty()) {
    return schema.identity == ReplicaIdentity::full ? Addressing::whole_row : Addressing::none;
  }
  if (target.is_key_byte_comparable) return Addressing::netted;
  return schema.identity == ReplicaIdentity::full ? Addressing::whole_row : Addressing::ordered;
}

Status load_key(const TableSchema& schema, const FoundTable& found, Target& target) {
  target.key = key_columns(schema);
  if (target.key.empty()) return ok_status();
  const std::vector<std::string> names = key_names(schema);
  const UniqueKey* unique = found.find_key(names);
  if (unique == nullptr) {
    return Error{ErrorKind::schema, "the destination's table has no unique index over the key"}
        .with("table", to_string(schema.name))
        .with("key", quote_list(names));
  }
  for (const UniqueKey::Part& part : unique->parts) {
    TargetColumn& column = target.columns[static_cast<std::size_t>(schema.find(part.column))];
    column.is_key = true;
    column.equals_sql = part.equals_sql;
  }
  target.is_key_byte_comparable =
      std::all_of(target.key.begin(), target.key.end(),
                  [&](std::uint16_t column) { return schema.columns[column].is_byte_comparable; });
  return ok_status();
}

// Types of PostgreSQL's own have one number everywhere. Another is taken for the same if it has the
// same name; an array of it then carries the number that its elements' type has at the source.
BinaryForm binary_form(const Column& column, const FoundColumn& here) {
  if (is_builtin(column.type) && !column.is_derived) {
    return {.type_sql = column.type == here.type ? here.cast_type : column.type_sql,
            .type = column.type,
            .is_direct = column.type == here.type,
            .goes_by_row = column.type_sql.ends_with("[]")};
  }
  if (column.type_sql != here.declared_type) return {};
  return {.type_sql = here.cast_type,
          .type = here.type,
          .element = is_builtin(here.element) ? Oid{0} : here.element,
          .is_direct = true,
          .goes_by_row = here.is_composite || here.cast_type.ends_with("[]")};
}

Status load_columns(const TableSchema& schema, const FoundTable& found, Target& target) {
  for (std::size_t i = 0; i < schema.columns.size(); ++i) {
    const Column& column = schema.columns[i];
    const FoundColumn* here = found.find(column.name);
    if (here == nullptr) {
      return Error{ErrorKind::schema, "the destination's table lacks a column"}
          .with("table", to_string(schema.name))
          .with("column", column.name);
    }
    target.columns.push_back({.name_sql = quote_identifier(column.name),
                              .cast_sql = here->cast_type,
                              .equals_sql = {},
                              .binary = binary_form(column, *here),
                              .is_in_row = here->is_in_row,
                              .is_raw_text = here->cast_type == "text" ||
                                             here->cast_type == "character varying" ||
                                             here->cast_type == "json",
                              .comes_as_text = is_text_in_binary(column.type)});
    target.goes_by_row |= target.columns.back().binary.goes_by_row;
    target.takes_binary_copy &= here->has_binary_form;
    target.all.push_back(static_cast<std::uint16_t>(i));
    if (!column.is_derived) target.compared.push_back(static_cast<std::uint16_t>(i));
  }
  return ok_status();
}

}  // namespace

std::uint32_t Target::set_id(const ColumnSets& sets) {
  if (sets.set.empty() && sets.binary.empty()) return 0;
  std::string bits(columns.size(), '0');
  for (const std::uint16_t column : sets.set)
    bits[column] |= 1;
  for (const std::uint16_t column : sets.binary)
    bits[column] |= 2;
  return set_ids_.emplace(std::move(bits), static_cast<std::uint32_t>(set_ids_.size() + 1))
      .first->second;
}

std::shared_ptr<Target> TargetCache::find_equal(const TableSchema& schema) const {
  for (const auto& [known, entry] : targets_) {
    if (known->name == schema.name && known->version == schema.version &&
        known->identity == schema.identity && known->columns == schema.columns) {
      return entry.target;
    }
  }
  return nullptr;
}

Result<std::shared_ptr<Target>> TargetCache::load(pg::Connection& connection,
                                                  const SchemaPtr& schema) {
  FRESHET_TRY(const auto found, find_table(connection, schema->name));
  if (!found) {
    return Error{ErrorKind::schema, "the table is missing at the destination"}.with(
        "table", to_string(schema->name));
  }
  FRESHET_TRY(check_faithful(*schema, *found));
  auto target = std::make_shared<Target>();
  target->schema = schema;
  target->id = ++last_id_;
  target->table_sql = quote_identifier(schema->name);
  target->rows_sql = own_rows_sql(schema->name, found->is_partitioned);
  target->is_partitioned = found->is_partitioned;
  FRESHET_TRY(load_columns(*schema, *found, *target));
  FRESHET_TRY(load_key(*schema, *found, *target));
  target->addressing = addressing_of(*schema, *target);
  target->net = NetChanges{target->key};
  target->net_rows = NetRows{target->compared};
  return target;
}

Result<Target*> TargetCache::get(pg::Connection& connection, const SchemaPtr& schema) {
  if (last_schema_ == schema.get()) return last_;
  auto known = targets_.find(schema.get());
  if (known == targets_.end()) {
    std::shared_ptr<Target> target = find_equal(*schema);
    if (!target) {
      FRESHET_TRY(target, load(connection, schema));
    }
    known = targets_.emplace(schema.get(), Entry{schema, std::move(target)}).first;
  }
  last_schema_ = schema.get();
  last_ = known->second.target.get();
  return last_;
}

Target& TargetCache::at(const TableSchema* schema) {
  if (last_schema_ != schema) {
    const auto known = targets_.find(schema);
    FRESHET_CHECK(known != targets_.end());
    last_schema_ = schema;
    last_ = known->second.target.get();
  }
  return *last_;
}

void TargetCache::forget(const TableName& name) {
  std::erase_if(targets_, [&](const auto& entry) { return entry.first->name == name; });
  last_schema_ = nullptr;
}

void TargetCache::clear() {
  targets_.clear();
  last_schema_ = nullptr;
}

}  // namespace freshet::postgres
