#include "state/postgres/postgres_store.h"

#include <array>
#include <vector>

#include "base/log.h"
#include "base/try.h"
#include "freshet/config.h"
#include "state/holder.h"
#include "state/postgres/sql.h"
#include "state/postgres/state_schema.h"
#include "state/postgres/stored_rows.h"
#include "types/schema_json.h"

namespace freshet {
namespace {

using Text = std::optional<std::string_view>;
using Known = std::optional<stored_rows::LeaseRow>;

// Each time somebody else was quicker.
constexpr int kAcquireAttempts = 10;

pg::ConnectOptions connect_options(const std::string& url, const std::string& pipeline) {
  pg::ConnectOptions options;
  options.url = url;
  options.application_name = application_name(pipeline) + " state";
  return options;
}

Result<std::unique_ptr<pg::Connection>> open_connection(const pg::ConnectOptions& options) {
  FRESHET_TRY(auto connection, pg::Connection::open(options));
  FRESHET_TRY(connection->execute(sql::kSqlSessionSettings));
  return connection;
}

bool is_lost(const Error& error) {
  return error.kind() == ErrorKind::connection;
}

// The new epoch, if nobody was here since `known` was seen; else nothing.
Result<std::optional<std::uint64_t>> take_lease(pg::Connection& connection,
                                                const std::string& pipeline,
                                                const LeaseHolder& self,
                                                const Known& known) {
  const std::string pid = std::to_string(self.holder.pid);
  const std::string epoch = known ? std::to_string(known->epoch) : std::string{};
  const std::array parameters{Text{pipeline},
                              Text{self.holder.host},
                              Text{pid},
                              Text{self.process},
                              known ? Text{epoch} : std::nullopt,
                              known ? Text{known->renewed_at} : std::nullopt};
  auto taken = connection.query(sql::kSqlTakeLease, parameters);
  // Not tried again: it may have been taken, and would then be found held by this very process.
  if (!taken.ok() && is_lost(taken.error())) return std::move(taken).error().in_doubt();
  if (!taken.ok()) return std::move(taken).error();
  if (taken->rows() == 0) return std::optional<std::uint64_t>{};
  return std::optional{taken->unsigned_integer(0, 0)};
}

// Runs a statement whose first parameters are the pipeline and the lease's epoch, and which touches
// one row iff the lease is held; false if it is not.
Result<bool> touch(pg::Connection& connection,
                   const Lease& lease,
                   std::string_view sql,
                   std::initializer_list<Text> values) {
  const std::string epoch = std::to_string(lease.epoch);
  std::vector<Text> parameters{lease.pipeline, epoch};
  parameters.insert(parameters.end(), values);
  FRESHET_TRY(const pg::Rows rows, connection.query(sql, parameters));
  return rows.affected() == 1;
}

Result<StoredPipeline> load_pipeline(pg::Connection& connection, const std::string& pipeline) {
  // One snapshot, so that slot and positions belong together.
  FRESHET_TRY(connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
  StoredPipeline stored;
  FRESHET_TRY(auto lease, stored_rows::load_lease(connection, pipeline));
  if (lease) {
    stored.publication = std::move(lease->publication);
    if (lease->holder && is_alive(*lease->holder, this_host_name(), lease->now_ms)) {
      stored.holder = lease->holder->holder;
    }
    FRESHET_TRY(stored_rows::load_slot(connection, pipeline, stored));
    FRESHET_TRY(stored_rows::load_positions(connection, pipeline, stored));
    FRESHET_TRY(stored_rows::load_tables(connection, pipeline, stored));
    FRESHET_TRY(stored_rows::load_schemas(connection, pipeline, stored));
    FRESHET_TRY(stored_rows::load_watched(connection, pipeline, stored));
  }
  FRESHET_TRY(stored.wishes, stored_rows::load_wishes(connection, pipeline));
  FRESHET_TRY(connection.execute("COMMIT"));
  return stored;
}

}  // namespace

PostgresStore::PostgresStore(pg::ConnectOptions options) : options_(std::move(options)) {}

Result<std::unique_ptr<PostgresStore>> PostgresStore::open(const std::string& url,
                                                           const std::string& pipeline) {
  std::unique_ptr<PostgresStore> store(new PostgresStore(connect_options(url, pipeline)));
  FRESHET_TRY(store->run(state_schema::make));
  return store;
}

Result<std::unique_ptr<PostgresStore>> PostgresStore::find(const std::string& url,
                                                           const std::string& pipeline) {
  std::unique_ptr<PostgresStore> store(new PostgresStore(connect_options(url, pipeline)));
  FRESHET_TRY(const bool is_made, store->run(state_schema::is_made));
  if (!is_made) store.reset();
  return store;
}

Status PostgresStore::check(const std::string& url, const std::string& pipeline) {
  PostgresStore store(connect_options(url, pipeline));
  return store.run([](pg::Connection& connection) { return state_schema::check(connection); });
}

template <typename Work>
auto PostgresStore::run(Work work) -> decltype(work(std::declval<pg::Connection&>())) {
  if (!connection_) {
    auto opened = open_connection(options_);
    if (!opened.ok()) return std::move(opened).error().with("server", "state");
    connection_ = std::move(opened).value();
  }
  auto done = work(*connection_);
  if (done.ok()) return done;
  done.error().add("server", "state");
  if (is_lost(done.error()) || connection_->is_in_transaction()) connection_.reset();
  return done;
}

template <typename Work>
auto PostgresStore::run_again_if_lost(Work work)
    -> decltype(work(std::declval<pg::Connection&>())) {
  const bool was_connected = connection_ != nullptr;
  auto done = run(work);
  if (done.ok() || !is_lost(done.error()) || !was_connected) return done;
  log_error(LogLevel::warn, "connecting to the state again", done.error());
  return run(work);
}

Result<Lease> PostgresStore::acquire(const std::string& pipeline, const Holder& self) {
  const std::lock_guard lock(mutex_);
  for (int attempt = 0; attempt < kAcquireAttempts; ++attempt) {
    FRESHET_TRY(const Known known, run_again_if_lost([&](pg::Connection& connection) {
                  return stored_rows::load_lease(connection, pipeline);
                }));
    if (known && known->holder && is_alive(*known->holder, self.host, known->now_ms)) {
      return lease_held_error(pipeline, known->holder->holder);
    }
    FRESHET_TRY(const auto epoch, run([&](pg::Connection& connection) {
                  return take_lease(connection, pipeline, lease_holder(self), known);
                }));
    if (!epoch) continue;
    return Lease{.pipeline = pipeline,
                 .epoch = *epoch,
                 .holder = self.host + " pid " + std::to_string(self.pid)};
  }
  return Error{ErrorKind::busy, "the lease changes hands all the time"}.with("pipeline", pipeline);
}

Status PostgresStore::change(const Lease& lease,
                             std::string_view sql,
                             std::initializer_list<Text> values) {
  const std::lock_guard lock(mutex_);
  FRESHET_TRY(const bool is_held, run_again_if_lost([&](pg::Connection& connection) {
                return touch(connection, lease, sql, values);
              }));
  if (!is_held) return fenced_error(lease);
  return ok_status();
}

Status PostgresStore::end(const Lease& lease, std::string_view sql) {
  const std::lock_guard lock(mutex_);
  int runs = 0;
  FRESHET_TRY(const bool is_ended,
              run_again_if_lost([&](pg::Connection& connection) -> Result<bool> {
                ++runs;
                FRESHET_TRY(const bool was_held, touch(connection, lease, sql, {}));
                if (was_held || runs == 1) return was_held;
                // The run whose answer was lost may have ended it.
                FRESHET_TRY(const Known known, stored_rows::load_lease(connection, lease.pipeline));
                return !known || (known->epoch == lease.epoch && !known->holder);
              }));
  if (!is_ended) return fenced_error(lease);
  return ok_status();
}

Status PostgresStore::renew(const Lease& lease) {
  return change(lease, sql::kSqlRenewLease);
}

Status PostgresStore::release(const Lease& lease) {
  return end(lease, sql::kSqlReleaseLease);
}

Status PostgresStore::forget(const Lease& lease) {
  return end(lease, sql::kSqlForget);
}

Result<StoredPipeline> PostgresStore::load(const std::string& pipeline) {
  const std::lock_guard lock(mutex_);
  return run_again_if_lost(
      [&](pg::Connection& connection) { return load_pipeline(connection, pipeline); });
}

Status PostgresStore::store_wish(const std::string& pipeline, const WishedTable& wished) {
  const std::lock_guard lock(mutex_);
  const std::array parameters{Text{pipeline}, Text{wished.table.schema}, Text{wished.table.table},
                              Text{to_string(wished.wish)}};
  const auto stored = run_again_if_lost(
      [&](pg::Connection& connection) { return connection.query(sql::kSqlStoreWish, parameters); });
  return stored.ok() ? ok_status() : Status{stored.error()};
}

Result<std::vector<WishedTable>> PostgresStore::load_wishes(const std::string& pipeline) {
  const std::lock_guard lock(mutex_);
  return run_again_if_lost(
      [&](pg::Connection& connection) { return stored_rows::load_wishes(connection, pipeline); });
}

Status PostgresStore::forget_wish(const Lease& lease, const WishedTable& wished) {
  return change(lease, sql::kSqlForgetWish,
                {wished.table.schema, wished.table.table, to_string(wished.wish)});
}

Status PostgresStore::store_slot(const Lease& lease, const SlotIdentity& slot) {
  const std::string timeline = std::to_string(slot.timeline);
  const std::string point = to_string(slot.consistent_point);
  return change(lease, sql::kSqlStoreSlot,
                {slot.system_identifier, timeline, slot.slot_name, point, slot.epoch});
}

Status PostgresStore::store_publication(const Lease& lease, const std::string& created) {
  return change(lease, sql::kSqlStorePublication, {created});
}

Status PostgresStore::store_position(const Lease& lease, const DestinationProgress& progress) {
  const std::string end = to_string(progress.position.end);
  return change(lease, sql::kSqlStorePosition, {progress.destination, end});
}

Status PostgresStore::store_table(const Lease& lease, const TableState& table) {
  return change(lease, sql::kSqlStoreTable,
                {table.destination, table.table.schema, table.table.table, to_string(table.phase),
                 table.reason});
}

Status PostgresStore::store_schema(const Lease& lease, const FollowedSchema& followed) {
  const TableSchema& schema = followed.schema;
  const std::string relation = std::to_string(to_integer(schema.relation));
  const char identity = static_cast<char>(schema.identity);
  const std::string version = std::to_string(schema.version);
  const std::string columns = to_json(schema.columns);
  return change(
      lease, sql::kSqlStoreSchema,
      {followed.destination, schema.name.schema, schema.name.table, relation,
       std::string_view(&identity, 1), version, schema.definition, schema.files, columns});
}

Status PostgresStore::store_watched(const Lease& lease, const std::string& watched) {
  return change(lease, sql::kSqlStoreWatched, {watched});
}

}  // namespace freshet
