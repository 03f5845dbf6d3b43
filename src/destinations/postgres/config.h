// How a Postgres destination is configured and made.
#pragma once

#include <memory>
#include <string>

#include "freshet/config.h"
#include "freshet/destination.h"
#include "freshet/result.h"

namespace freshet {

/// Makes a destination that writes into a PostgreSQL database (14 or later; pgvector where vectors
/// are derived). Connects in open() only.
Result<std::unique_ptr<Destination>> make_postgres_destination(const DestinationConfig& config);

}  // namespace freshet
