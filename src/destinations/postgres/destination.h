// PostgreSQL as a destination: rows and position in one commit.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "destinations/postgres/config.h"
#include "destinations/postgres/durability.h"
#include "destinations/postgres/index_builder.h"
#include "destinations/postgres/quarantine.h"
#include "destinations/postgres/range_writer.h"
#include "destinations/postgres/row_by_row.h"
#include "destinations/postgres/session.h"
#include "destinations/postgres/target.h"
#include "destinations/postgres/writer.h"
#include "freshet/config.h"
#include "freshet/destination.h"

namespace freshet::postgres {

/// See Destination. One thread, but for begin_range. After an error of kind `connection`,
/// `cancelled`, `fenced` or `went_back`, and after any error inside a transaction that came in
/// parts, open() comes next: what was not committed is gone.
class PostgresDestination final : public Destination {
 public:
  explicit PostgresDestination(DestinationConfig config) : config_(std::move(config)) {}

  ~PostgresDestination() override;

  Traits traits() const override;
  Result<DestinationState> open(const Lease& lease) override;
  Status adopt_slot(const SlotIdentity& slot, Position start) override;
  Status forget_slot() override;
  Status check_table(const SchemaPtr& schema) override;
  Status prepare_table(const SchemaPtr& schema) override;
  Status prepare_tables(std::span<const SchemaPtr> schemas) override;
  Status reset_table(const SchemaPtr& schema) override;
  Result<std::unique_ptr<RangeWriter>> begin_range(const SchemaPtr& schema,
                                                   const RangeId& range) override;
  Status finish_copy(const SchemaPtr& schema) override;
  Status add_objects(const TableName& table, std::span<const TableObject> objects) override;
  Status evolve(const SchemaPtr& from, const SchemaPtr& to) override;
  Result<Position> write(const Group& group, Durability durability) override;
  Result<std::vector<bool>> find_missing(const SchemaPtr& schema,
                                         std::span<const RowView> keys) override;
  std::vector<TableConflicts> take_conflicts() override;
  Status close(std::chrono::steady_clock::time_point deadline) override;

 private:
  Status check_open() const;
  Status open_probe();
  Status make_writers();
  void drop_writers();
  Status check_newest_by(const TableSchema& schema) const;
  Status resume_building();
  Status resume_vector_indexes();
  IndexBuilder& builder();
  Status complete_tables();
  Status give_way(std::vector<TableName> tables);
  Status give_way_to(const Group& group);
  Status release_foreign_keys(const Group& group);
  Status prepare_in_transaction(const SchemaPtr& schema);
  Result<std::vector<SchemaPtr>> plain_and_missing(std::span<const SchemaPtr> schemas);
  Status create_together(std::span<const SchemaPtr> schemas);
  /// Runs `work` in the open transaction, or in a fenced one of its own.
  Status in_transaction(const std::function<Status()>& work);

  // write()
  Status load_targets(const Group& group);
  Status apply(const Group& group, bool is_proof);
  Status attempt(const Group& group, Effort effort, bool is_proof);
  Status send_start(const Group& group);
  Status send_end(const Group& group, bool is_proof);
  Status send_advance(Position to, SourceTime committed_at);
  Status send_chunks(const Group& group);
  Status send_phases(const Group& group);
  Status send_notify(Position upto);
  /// Undoes a failed attempt; the transaction as it was before it.
  Status undo(Effort effort);
  Result<bool> may_be_null(const TableSchema& schema, std::string_view name) const;
  /// Takes NOT NULL off the column that refused a NULL, if the source may have one there. True: the
  /// group is to be tried again, without NOT NULL or now that it is known not to be ours to take.
  Result<bool> relax(const Error& error);
  bool may_relax(const Error& error) const;
  Position settle(const Group& group, bool is_proof);

  const DestinationConfig config_;
  Lease lease_;
  // Before open(), when nothing of ours need be there: a session, and the names that are taken.
  std::unique_ptr<pg::Connection> probe_;
  std::set<TableName> taken_names_;
  std::set<TableName> fresh_;  // made by us just now: empty, and recorded as being copied
  std::unique_ptr<Session> session_;
  std::unique_ptr<GroupWriter> writer_;
  std::unique_ptr<IndexBuilder> builder_;
  std::unique_ptr<Quarantine> quarantine_;
  std::unique_ptr<RowByRow> row_by_row_;
  TargetCache targets_;
  std::uint64_t fence_ = 0;
  std::string epoch_;
  Position position_;
  DurabilityQueue durability_;
  std::chrono::steady_clock::time_point last_proof_{};
  bool is_in_part_ = false;       // the first parts of a large transaction are applied, uncommitted
  bool is_broken_ = true;         // open() comes next
  const Group* group_ = nullptr;  // while it is being applied
  bool is_relax_refused_ = false;
  bool releases_ = false;      // the group takes foreign keys of ours away
  bool may_complete_ = false;  // tables began to stream, or let go of what is wanted again
  std::set<std::string> touched_;
  RowParameters text_;

  mutable std::mutex pool_mutex_;  // guards pool_, which copier threads take
  std::shared_ptr<RangePool> pool_;
};

}  // namespace freshet::postgres
