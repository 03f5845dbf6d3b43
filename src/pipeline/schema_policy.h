// What becomes of a table whose definition changes at the source, as its configuration says
// (`schema_changes`). Pure.
#pragma once

#include <string>

#include "freshet/config.h"
#include "freshet/result.h"
#include "freshet/schema.h"

namespace freshet {

SchemaChanges policy_of(const SourceConfig& source, const TableConfig& table);

/// "added b, renamed c to d, dropped e" for people; empty where no column came, went or was
/// renamed.
std::string describe_columns(const TableSchema& from, const TableSchema& to);

/// What a destination's table that was made for `kept` lacks of the source's, for people; empty:
/// nothing.
std::string describe_ignored(const TableSchema& kept, const TableSchema& source);

/// A definition that is not followed, `from` being the one that is.
Error not_followed(const TableSchema& from, const TableSchema& to, std::string what);

/// The column of `kept` that a streamed `column` goes into; null: none.
const Column* find_kept(const TableSchema& kept, const Column& column);

/// Under `ignore`: fails with `schema` unless rows of `output` can be written into a table that was
/// made for `kept`: same types, same identity, and the columns of that under their old names.
/// `input` has the rows' columns under the source's names.
Status check_kept(const TableSchema& kept, const TableSchema& input, const TableSchema& output);

/// `kept` as of the moment of `output`: what is rewritten from then on was not before.
SchemaPtr keep_as_of(const TableSchema& kept, const TableSchema& output);

}  // namespace freshet
