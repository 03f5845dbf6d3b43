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

std::vector<TableName> left_by(const Group& group) {
  std::vector<TableName> left;
  for (const PhaseChange& change : group.phases) {
    if (!is_followed(change.phase)) left.push_back(change.name);
  }
  return left;
}

std::vector<TableName> truncated_by(const Run& run) {
  std::vector<TableName> tables;
  for (const SchemaPtr& schema : run.truncated)
    tables.push_back(schema->name);
  return tables;
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
    FRESHET_TRY(postgres::release_foreign_keys(connection, lease_.pipeline, {&table, 1}));
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

/// Has the builder let go of the tables, and of those whose foreign keys with them may have to go.
Status PostgresDestination::give_way(std::vector<TableName> tables) {
  if (!builder_) return ok_status();
  auto linked = find_linked_tables(session_->connection(), lease_.pipeline, tables);
  if (!linked.ok()) {
    is_broken_ = is_in_part_ || breaks_session(linked.error());
    return std::move(linked).error();
  }
  tables.insert(tables.end(), linked->begin(), linked->end());
  builder_->give_way(tables);
  return ok_status();
}

/// Before the group: a TRUNCATE would wait for a running CREATE INDEX, and the lane with it.
Status PostgresDestination::give_way_to(const Group& group) {
  std::vector<TableName> tables = left_by(group);
  for (const Run& run : group.runs) {
    const std::vector<TableName> truncated = truncated_by(run);
    tables.insert(tables.end(), truncated.begin(), truncated.end());
  }
  releases_ = !tables.empty();
  return releases_ ? give_way(std::move(tables)) : ok_status();
}

// In the group's own transaction, so that nobody makes them again before it. A table that is not
// followed may hold rows that no longer fit others'. And the source truncates without the child
// where it has dropped the foreign key, or does not publish the child's TRUNCATE.
Status PostgresDestination::release_foreign_keys(const Group& group) {
  pg::Connection& connection = session_->connection();
  const std::vector<TableName> left = left_by(group);
  if (!left.empty()) FRESHET_TRY(postgres::release_foreign_keys(connection, lease_.pipeline, left));
  for (const Run& run : group.runs) {
    if (run.truncated.empty()) continue;
    FRESHET_TRY(const std::size_t released,
                postgres::release_foreign_keys(connection, lease_.pipeline, truncated_by(run),
                                               Release::from_elsewhere));
    may_complete_ |= released > 0;
  }
  return ok_status();
}

}  // namespace freshet::postgres
