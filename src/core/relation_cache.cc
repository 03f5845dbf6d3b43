#include "core/relation_cache.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace freshet {
namespace {

/// FirstNormalObjectId: what has a lower OID came with the server.
constexpr Oid kFirstUserOid{16384};

bool is_same(const Column& column, const pgoutput::RelationColumn& announced) {
  return column.name == announced.name && column.type == announced.type &&
         column.typmod == announced.typmod && column.is_identity == announced.is_identity;
}

bool is_same(const TableSchema& schema, const pgoutput::Relation& announced) {
  return schema.name.table == announced.name && schema.name.schema == announced.schema &&
         schema.identity == announced.identity &&
         std::equal(
             schema.columns.begin(), schema.columns.end(), announced.columns.begin(),
             announced.columns.end(),
             [](const Column& a, const pgoutput::RelationColumn& b) { return is_same(a, b); });
}

SchemaPtr make_schema(const pgoutput::Relation& announced, std::uint64_t version) {
  auto schema = std::make_shared<TableSchema>();
  schema->relation = announced.oid;
  schema->name = {std::string{announced.schema}, std::string{announced.name}};
  schema->identity = announced.identity;
  schema->version = version;
  schema->columns.reserve(announced.columns.size());
  for (const pgoutput::RelationColumn& from : announced.columns) {
    Column& column = schema->columns.emplace_back();
    column.name = from.name;
    column.type = from.type;
    column.typmod = from.typmod;
    column.is_identity = from.is_identity;
    column.is_builtin_type = from.type < kFirstUserOid;
  }
  return schema;
}

const KnownRelation* find_in(const RelationMap* relations, Oid oid) {
  if (relations == nullptr) return nullptr;
  const auto found = relations->find(oid);
  return found == relations->end() ? nullptr : &found->second;
}

}  // namespace

const SchemaPtr& RelationCache::announce(const pgoutput::Relation& relation, RelationMap* overlay) {
  SchemaPtr schema = find(relation.oid, overlay);
  if (schema == nullptr || !is_same(*schema, relation)) {
    // Streamed transactions that run side by side each announce the same relation: they share it.
    schema = find(relation.oid, nullptr);
    SchemaPtr& newest = newest_[relation.oid];
    if (schema == nullptr || !is_same(*schema, relation)) schema = newest;
    if (schema == nullptr || !is_same(*schema, relation)) {
      schema = make_schema(relation, newest == nullptr ? 1 : newest->version + 1);
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
