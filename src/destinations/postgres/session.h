// The lane's connection: prepared statements sent in pipeline mode, errors told by table.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "destinations/postgres/encoding.h"
#include "destinations/postgres/statements.h"
#include "destinations/postgres/target.h"
#include "freshet/destination.h"
#include "pg/connection.h"
#include "pg/pipeline_mode.h"

namespace freshet::postgres {

/// Statements without a table.
enum class Fixed : std::uint8_t { advance, notify, record_chunk, record_table, wal_positions };

/// Where the destination's WAL stood after a commit.
struct WalPositions {
  Lsn insert = kNoLsn;
  Lsn flush = kNoLsn;
  bool has_synchronous_standbys = false;
};

/// Gives an error of ours (SQLSTATE FR001 to FR003) its kind; leaves others as they are.
Error refine(Error error);

/// The same for what stands against another definition of one table, or against emptying it: a view
/// on its column, a foreign key.
Error of_definition(Error error);

/// True for errors that another order, or row by row, may avoid: a broken unique or foreign key, a
/// row that was expected.
bool is_order_conflict(const Error& error) noexcept;

/// True for errors that the values of one row lead to.
bool is_row_conflict(const Error& error) noexcept;

/// True if the session is of no more use.
bool breaks_session(const Error& error) noexcept;

/// As a subscription does: triggers and foreign keys fired at the source already. Where the role
/// may not set it, they fire here too: a foreign key then only makes groups go in source order, and
/// tables with triggers are refused.
void set_replica_role(pg::Connection& connection, const std::string& destination);

/// Sets a session up to write for `pipeline`: plans, origin, and triggers as for a subscription.
Status prepare_session(pg::Connection& connection,
                       const std::string& pipeline,
                       const std::string& destination);

/// One thread. After an error of kind `connection` or `cancelled` it is of no more use.
class Session {
 public:
  explicit Session(std::unique_ptr<pg::Connection> connection)
      : connection_(std::move(connection)), pipeline_(*connection_) {}

  pg::Connection& connection() noexcept { return *connection_; }

  /// What a statement was for: names table and LSN in errors.
  struct Purpose {
    Target* target = nullptr;
    Lsn lsn = kNoLsn;
    std::uint64_t expected_rows = 0;         ///< Deletes: fewer are counted as missing.
    const TableSchema* truncated = nullptr;  ///< TRUNCATE: of this table first.
    bool is_commit = false;
    bool is_wal_positions = false;
  };

  Status begin_pipeline() { return pipeline_.enter(); }

  Status send(const char* sql) { return send(sql, Purpose{}); }

  Status send(const char* sql, const Purpose& purpose);
  Status send(Fixed statement, std::span<const pg::Parameter> parameters);
  Status send(Target& target,
              Shape shape,
              const ColumnSets& sets,
              std::span<const pg::Parameter> parameters,
              const Purpose& purpose);
  /// Waits for all that was sent. The pipeline mode stays on.
  Status sync();
  /// Sends what was queued, waits for it, and leaves the mode, so that plain calls may follow.
  Status end_pipeline();

  /// Ends the transaction, whatever state it is in; plain mode afterwards.
  Status roll_back(const char* sql = "ROLLBACK");
  /// Drops prepared statements when they have become many. Outside a transaction.
  Status trim_statements();
  /// As trim_statements, but always: after DDL or errors.
  Status drop_statements();

  const WalPositions& wal_positions() const noexcept { return wal_; }

 private:
  Status send_prepared(std::uint64_t key,
                       const std::string& sql,
                       std::span<const pg::Parameter> parameters,
                       const Purpose& purpose);
  void take_result(std::size_t command, const pg_result& result);
  Error explain(pg::PipelineFailure failure) const;

  std::unique_ptr<pg::Connection> connection_;
  pg::PipelineMode pipeline_;
  std::unordered_map<std::uint64_t, std::string> statements_;
  std::vector<Purpose> purposes_;  // one per command sent since the last sync
  WalPositions wal_;
};

}  // namespace freshet::postgres
