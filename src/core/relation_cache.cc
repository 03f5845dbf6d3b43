#include "core/relation_cache.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "types/builtin_type.h"

namespace freshet {
namespace {

bool is_same(const Column& a, const Column& b) {
  return a.name == b.name && a.type == b.type && a.typmod == b.typmod &&
         a.is_identity == b.is_identity && a.attnum == b.attnum;
}

bool is_same(const TableSchema& a, const TableSchema& b) {
  return a.name == b.name && a.identity == b.identity && a.definition == b.definition &&
         a.files == b.files &&
         std::equal(a.columns.begin(), a.columns.end(), b.columns.begin(), b.columns.end(),
                    [](const Column& x, const Column& y) { return is_same(x, y); });
}

TableSchema make_schema(const pgoutput::Relation& announced) {
  TableSchema schema;
  schema.relation = announced.oid;
  schema.name = {std::string{announced.schema}, std::string{announced.name}};
  schema.identity = announced.identity;
  schema.columns.reserve(announced.columns.size());
  for (const pgoutput::RelationColumn& from : announced.columns) {
    Column& column = schema.columns.emplace_back();
    column.name = from.name;
    column.type = from.type;
    column.typmod = from.typmod;
    column.is_identity = from.is_identity;
    column.is_builtin_type = is_builtin(from.type);
  }
  return schema;
}

const KnownRelation* find_in(const RelationMap* relations, Oid oid) {
  if (relations == nullptr) return nullptr;
  const auto found = relations->find(oid);
  return found == relations->end() ? nullptr : &found->second;
}

}  // namespace

const SchemaPtr& RelationCache::announce(const pgoutput::Relation& relation,
                                         RelationMap* overlay,
                                         const OpenCaptures& captures) {
  TableSchema now = make_schema(relation);
  if (const auto open = captures.find(relation.oid); open != captures.end()) {
    complete(now, *open->second.back());
  } else if (const auto known = captures_.find(relation.oid); known != captures_.end()) {
    complete(now, *known->second);
  }
  SchemaPtr schema = find(relation.oid, overlay);
  if (schema == nullptr || !is_same(*schema, now)) {
    // Streamed transactions that run side by side each announce the same relation: they share it.
    schema = find(relation.oid, nullptr);
    SchemaPtr& newest = newest_[relation.oid];
    if (schema == nullptr || !is_same(*schema, now)) schema = newest;
    if (schema == nullptr || !is_same(*schema, now)) {
      now.version = newest == nullptr ? 1 : newest->version + 1;
      schema = std::make_shared<const TableSchema>(std::move(now));
      newest = schema;
    }
  }
  KnownRelation& entry = (overlay != nullptr ? *overlay : relations_)[relation.oid];
  entry = {std::move(schema), ++arrivals_};
  return entry.schema;
}

SchemaPtr RelationCache::find(Oid oid, const RelationMap* overlay) const {
  if (const KnownRelation* entry = find_in(overlay, oid)) return entry->schema;
  if (const KnownRelation* entry = find_in(&relations_, oid)) return entry->schema;
  return nullptr;
}

void RelationCache::promote(const RelationMap& overlay) {
  for (const auto& [oid, entry] : overlay) {
    KnownRelation& known = relations_[oid];
    if (entry.arrival > known.arrival) known = entry;
  }
}

void RelationCache::promote(const OpenCaptures& captures) {
  for (const auto& [oid, captured] : captures)
    captures_[oid] = captured.back();
}

void RelationCache::announce(const pgoutput::Type& type) {
  types_.insert_or_assign(type.oid, TypeName{std::string{type.schema}, std::string{type.name}});
}

const TypeName* RelationCache::find_type(Oid type) const {
  const auto found = types_.find(type);
  return found == types_.end() ? nullptr : &found->second;
}

void RelationCache::clear() {
  *this = RelationCache{};
}

}  // namespace freshet
