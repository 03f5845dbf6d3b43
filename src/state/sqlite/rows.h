// Reads and writes the rows of the state file.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "freshet/state_store.h"
#include "state/holder.h"
#include "state/sqlite/database.h"

namespace freshet::state_rows {

struct LeaseRow {
  std::uint64_t epoch = 0;
  std::optional<LeaseHolder> holder;
  std::optional<std::string> publication;
};

Result<std::optional<LeaseRow>> load_lease(Database& database, const std::string& pipeline);
Status store_lease(Database& database, const std::string& pipeline, const LeaseRow& row);

Status load_slot(Database& database, const std::string& pipeline, StoredPipeline& into);
Status load_positions(Database& database, const std::string& pipeline, StoredPipeline& into);
Status load_tables(Database& database, const std::string& pipeline, StoredPipeline& into);
Status load_schemas(Database& database, const std::string& pipeline, StoredPipeline& into);

Status store_slot(Database& database, const std::string& pipeline, const SlotIdentity& slot);
Status store_position(Database& database,
                      const std::string& pipeline,
                      const DestinationProgress& progress);
Status store_table(Database& database, const std::string& pipeline, const TableState& table);
Status store_schema(Database& database,
                    const std::string& pipeline,
                    const FollowedSchema& followed);
Status load_watched(Database& database, const std::string& pipeline, StoredPipeline& into);
Result<std::vector<WishedTable>> load_wishes(Database& database, const std::string& pipeline);
Status store_wish(Database& database, const std::string& pipeline, const WishedTable& wished);
Status forget_wish(Database& database, const std::string& pipeline, const WishedTable& wished);
Status store_watched(Database& database, const std::string& pipeline, const std::string& watched);

}  // namespace freshet::state_rows
