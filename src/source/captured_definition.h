// Definitions that were captured in the stream (core/ddl_capture.h), held against the catalogue:
// anybody who may write logical messages may have made them up.
#pragma once

#include <span>
#include <vector>

#include "core/pgoutput/message.h"
#include "freshet/result.h"
#include "freshet/schema.h"
#include "pg/connection.h"

namespace freshet::source {

/// A definition with what was captured of it.
struct CapturedDefinition {
  SchemaPtr streamed;
  SchemaPtr previous;  ///< The table as it was known before; null: not at all.
  Xid xid{0};          ///< The transaction that it came with, which must be visible.
};

/// True if it is a message's alone, columns and all: no Relation message said so much.
bool is_hearsay(const TableSchema& captured);

/// What is to be believed of each; null where the catalogue contradicts it, or where the source
/// does not capture definitions. What the catalogue still shows is taken from there, and types as
/// SQL always: only of columns that were changed since does the message's word hold.
Result<std::vector<SchemaPtr>> check_captured(pg::Connection& connection,
                                              std::span<const CapturedDefinition> captured);

/// The same without what was captured, as the Relation message has it. Pure.
SchemaPtr without_capture(const TableSchema& captured);

}  // namespace freshet::source
