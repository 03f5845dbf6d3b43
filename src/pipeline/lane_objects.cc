// What belongs to a copied table at the source and is in no stream: indexes, constraints, defaults.
#include <algorithm>
#include <set>
#include <string>

#include "base/log.h"
#include "base/try.h"
#include "pipeline/lane.h"

namespace freshet {
namespace {

bool refers_to_table(const TableObject& object) {
  return object.kind == ObjectKind::foreign_key || object.kind == ObjectKind::validation;
}

/// Why the object has no place at the destination; empty: it has.
std::string_view reason_against(const TableObject& object,
                                const TableSchema& schema,
                                const TablePlans& plans) {
  if (refers_to_table(object) && !object.other.table.empty() && !plans.contains(object.other))
    return "it refers to a table that is not in the pipeline";
  const auto& masked = plans.at(schema.name).masked;
  const auto is_masked = [&](std::int16_t attnum) {
    return std::any_of(schema.columns.begin(), schema.columns.end(), [&](const Column& column) {
      return column.attnum == attnum && masked.contains(column.name);
    });
  };
  if (std::any_of(object.judged.begin(), object.judged.end(), is_masked))
    return "it judges values that are masked";
  return {};
}

}  // namespace

Status Lane::add_objects(std::span<const SchemaPtr> copied) {
  std::vector<Oid> relations;
  for (const SchemaPtr& schema : copied)
    relations.push_back(schema->relation);
  if (relations.empty()) return ok_status();
  FRESHET_TRY(auto objects, around_.resolver.objects(relations));
  for (const SchemaPtr& schema : copied) {
    std::vector<TableObject>& of_table = objects[schema->relation];
    std::set<std::string> told;  // A constraint and its index or validation have one name.
    std::erase_if(of_table, [&](const TableObject& object) {
      const std::string_view reason = reason_against(object, *schema, around_.plans);
      if (reason.empty() || !told.insert(object.name).second) return !reason.empty();
      log_warn("an object of a table is left out at the destination",
               {{"destination", name_},
                {"table", to_string(schema->name)},
                {"kind", to_string(object.kind)},
                {"object", object.name},
                {"reason", reason}});
      return true;
    });
    FRESHET_TRY(destination_->add_objects(schema->name, of_table));
  }
  return ok_status();
}

}  // namespace freshet
