// Reads the rows of the state from a database.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "freshet/state_store.h"
#include "pg/connection.h"
#include "state/holder.h"

namespace freshet::stored_rows {

struct LeaseRow {
  std::uint64_t epoch = 0;
  std::optional<LeaseHolder> holder;
  std::int64_t now_ms = 0;  ///< By the clock that the holder's renewal is by.
  std::string renewed_at;   ///< With `epoch`, what a change of the lease is noticed by.
  std::optional<std::string> publication;
};

Result<std::optional<LeaseRow>> load_lease(pg::Connection& connection, const std::string& pipeline);

Status load_watched(pg::Connection& connection, const std::string& pipeline, StoredPipeline& into);
Status load_slot(pg::Connection& connection, const std::string& pipeline, StoredPipeline& into);
Status load_positions(pg::Connection& connection,
                      const std::string& pipeline,
                      StoredPipeline& into);
Status load_tables(pg::Connection& connection, const std::string& pipeline, StoredPipeline& into);
Status load_schemas(pg::Connection& connection, const std::string& pipeline, StoredPipeline& into);

/// Nothing where the state was made before there were wishes.
Result<std::vector<WishedTable>> load_wishes(pg::Connection& connection,
                                             const std::string& pipeline);

}  // namespace freshet::stored_rows
