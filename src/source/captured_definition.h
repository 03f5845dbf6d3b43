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

struct CheckedDefinition {
  SchemaPtr believed;  ///< Null: the catalogue contradicts it, or the source captures nothing.
  /// Contradicted, and yet it may be true. Which of two transactions came first is judged by their
  /// xids, but the later one may have the lower. Never so where the catalogue has what was known
  /// before: then nobody has changed anything.
  bool is_doubtful = false;
};

/// What is to be believed of each. What the catalogue still shows is taken from there, and types as
/// SQL always: only of columns that were changed since does the message's word hold.
Result<std::vector<CheckedDefinition>> check_captured(pg::Connection& connection,
                                                      std::span<const CapturedDefinition> captured);

/// The same without what was captured, as the Relation message has it. Pure.
SchemaPtr without_capture(const TableSchema& captured);

}  // namespace freshet::source
