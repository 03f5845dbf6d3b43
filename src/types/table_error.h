// Errors that belong to one table.
#pragma once

#include "freshet/result.h"
#include "freshet/schema.h"

namespace freshet {

/// The same error with the field `table`; one that names a table already keeps its own.
Error naming(Error error, const TableName& table);
Status naming(Status status, const TableName& table);

}  // namespace freshet
