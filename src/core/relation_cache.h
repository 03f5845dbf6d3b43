// What tables look like at this moment of the stream, from Relation and Type messages.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "core/ddl_capture.h"
#include "core/pgoutput/message.h"
#include "freshet/schema.h"

namespace freshet {

struct TypeName {
  std::string schema;
  std::string name;
};

/// A table's schema and when it was announced: of two announcements the later one holds.
struct KnownRelation {
  SchemaPtr schema;
  std::uint64_t arrival = 0;
};

using RelationMap = std::unordered_map<Oid, KnownRelation>;

/// The relations that hold for all transactions; each streamed transaction has an overlay of its
/// own until it commits. Use from one thread at a time.
class RelationCache {
 public:
  /// Takes a Relation message into `overlay`, or into the cache itself if that is null. A relation
  /// equal to the one known keeps its SchemaPtr; a changed one gets the table's next version.
  /// `captures`: those of the transaction that it came in.
  const SchemaPtr& announce(const pgoutput::Relation& relation,
                            RelationMap* overlay,
                            const OpenCaptures& captures = {});
  /// The schema of `oid` for a transaction with that overlay (null: without); null if never
  /// announced.
  SchemaPtr find(Oid oid, const RelationMap* overlay) const;
  /// Makes the relations of a committed streamed transaction hold for all; not those which another
  /// transaction announced after it, since the server will not send them again.
  void promote(const RelationMap& overlay);
  /// The same of what a transaction captured, once it has committed.
  void promote(const OpenCaptures& captures);
  void announce(const pgoutput::Type& type);
  const TypeName* find_type(Oid type) const;
  void clear();

 private:
  RelationMap relations_;
  std::unordered_map<Oid, SchemaPtr> newest_;  // The last version made, in whatever transaction.
  std::unordered_map<Oid, CapturePtr> captures_;
  std::unordered_map<Oid, TypeName> types_;
  std::uint64_t arrivals_ = 0;
};

}  // namespace freshet
