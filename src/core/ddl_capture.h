// Definitions of tables as the source's event triggers write them into the stream, in logical
// messages of the transaction that changed them (src/source/sql/install_ddl_capture.sql).
//
// A message of the prefix `freshet.ddl` holds JSON:
//   {"version": 1, "xid": N,                     the sub-transaction that changed the table
//    "relation": OID, "schema": …, "table": …, "identity": pg_class.relreplident,
//    "definition": …, "files": …,                as TableSchema has them
//    "columns": [[name, attnum, type, typmod, null, is_not_null, is_generated,
//                 is_byte_comparable, place in the primary key, is_identity, missing value], …]}
// Earlier versions wrote the type as SQL where there is null now; it is never read. Anybody may
// write such a message: what it says holds only where a Relation message agrees, or the catalogue
// (source/captured_definition.h).
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/pgoutput/message.h"
#include "freshet/lsn.h"
#include "freshet/schema.h"

namespace freshet {

constexpr std::string_view kDdlPrefix = "freshet.ddl";

struct CapturedTable {
  Xid subxid{0};
  SchemaPtr all;        ///< With generated columns. Version 0, as no Relation message told it.
  SchemaPtr published;  ///< Without: what the stream carries unless a publication names columns.
};

using CapturePtr = std::shared_ptr<const CapturedTable>;

/// What open transactions captured, by table, with the sub-transaction; the last of each holds.
using OpenCaptures = std::unordered_map<Oid, std::vector<CapturePtr>>;

/// Null where the text is not a definition of this version.
CapturePtr parse_capture(std::string_view json);

/// Completes a schema made from a Relation message by what was captured. False, and nothing done,
/// where the columns announced are not among those captured, in their order.
bool complete(TableSchema& announced, const CapturedTable& captured);

}  // namespace freshet
