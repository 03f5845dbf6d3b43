// What is built after a copy, beside the stream: vector indexes, and under `schema: full` the
// indexes, constraints, defaults and sequences of the source's tables.
#include <array>

#include "base/try.h"
#include "destinations/postgres/destination.h"
#include "destinations/postgres/object_records.h"
#include "destinations/postgres/sql.h"

namespace freshet::postgres {
namespace {

using Text = std::optional<std::string_view>;

bool is_followed(TablePhase phase) {
  return phase == TablePhase::streaming || phase == TablePhase::catching_up;
}

}  // namespace

IndexBuilder& PostgresDestination::builder() {
  if (!builder_) builder_ = std::make_unique<IndexBuilder>(config_.url, lease_.pipeline);
  return *builder_;
}

Status PostgresDestination::resume_building() {
  if (!builder_) {
    if (config_.vector_index.is_wanted) FRESHET_TRY(resume_vector_indexes());
    // Whoever starts the process again may have mended what was in the way.
    if (config_.schema == DestinationSchema::full)
      FRESHET_TRY(retry_objects(session_->connection(), lease_.pipeline));
  }
  return complete_tables();
}

Status PostgresDestination::resume_vector_indexes() {
  FRESHET_TRY(const pg::Rows rows, session_->connection().query(sql::kSqlWantedIndexes,
                                                                std::array{Text{lease_.pipeline}}));
  for (int row = 0; row < rows.rows(); ++row) {
    builder().add({.table = {rows.string(row, 0), rows.string(row, 1)},
                   .indexes = {{rows.string(row, 2),
                                static_cast<std::uint32_t>(rows.unsigned_integer(row, 3)),
                                static_cast<std::uint32_t>(rows.unsigned_integer(row, 4))}}});
  }
  return ok_status();
}

Status PostgresDestination::add_objects(const TableName& table,
                                        std::span<const TableObject> objects) {
  FRESHET_TRY(check_open());
  return in_transaction([&]() -> Status {
    pg::Connection& connection = session_->connection();
    FRESHET_TRY(postgres::release_foreign_keys(connection, lease_.pipeline, table));
    return record_objects(connection, lease_.pipeline, table, objects);
  });
}

/// Has the builder take up what is wanted and may stand by now.
Status PostgresDestination::complete_tables() {
  may_complete_ = false;
  if (config_.schema != DestinationSchema::full) return ok_status();
  auto tables = find_tables_to_complete(session_->connection(), lease_.pipeline);
  if (!tables.ok()) {
    is_broken_ = true;
    return std::move(tables).error();
  }
  for (TableName& table : *tables)
    builder().add({.table = std::move(table), .indexes = {}, .is_completion = true});
  return ok_status();
}

// A table that is not followed may hold rows that no longer fit others'; nor could those then be
// truncated without it.
Status PostgresDestination::release_foreign_keys(std::span<const PhaseChange> phases) {
  std::vector<TableName> left;
  for (const PhaseChange& change : phases) {
    if (!is_followed(change.phase)) left.push_back(change.name);
  }
  if (left.empty()) return ok_status();
  if (builder_) builder_->give_way();
  return in_transaction([&]() -> Status {
    for (const TableName& table : left)
      FRESHET_TRY(postgres::release_foreign_keys(session_->connection(), lease_.pipeline, table));
    return ok_status();
  });
}

}  // namespace freshet::postgres
