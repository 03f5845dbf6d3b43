// Life cycle and tables. Groups are in destination_write.cc.
#include "destinations/postgres/destination.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/log.h"
#include "base/sql_quote.h"
#include "base/try.h"
#include "destinations/postgres/concurrent_index.h"
#include "destinations/postgres/config.h"
#include "destinations/postgres/definition_record.h"
#include "destinations/postgres/evolve.h"
#include "destinations/postgres/names.h"
#include "destinations/postgres/newest_by.h"
#include "destinations/postgres/object_records.h"
#include "destinations/postgres/progress.h"
#include "destinations/postgres/schema.h"
#include "destinations/postgres/sql.h"
#include "destinations/postgres/vector_type.h"
#include "freshet/config.h"
#include "pg/array_literal.h"
#include "pg/sqlstate.h"

namespace freshet::postgres {
namespace {

using Text = std::optional<std::string_view>;

// Their locks, a handful each, lie in the server's lock table until the commit.
constexpr std::size_t kTablesTogether = 200;

Result<bool> is_recorded(pg::Connection& connection,
                         const std::string& pipeline,
                         const TableName& table) {
  FRESHET_TRY(const pg::Rows kept,
              connection.query("SELECT to_regclass('freshet.tables') IS NOT NULL"));
  if (!kept.boolean(0, 0)) return false;
  // Which pipeline asks is not known before open().
  FRESHET_TRY(
      const pg::Rows rows,
      connection.query("SELECT FROM freshet.tables "
                       "WHERE (pipeline = $1 OR $1 = '') AND schema = $2 AND \"table\" = $3",
                       std::array{Text{pipeline}, Text{table.schema}, Text{table.table}}));
  return rows.rows() > 0;
}

Status create_schema(pg::Connection& connection, const std::string& name) {
  FRESHET_TRY(const pg::Rows found, connection.query("SELECT FROM pg_namespace WHERE nspname = $1",
                                                     std::array{Text{name}}));
  if (found.rows() > 0) return ok_status();
  return connection.execute("CREATE SCHEMA IF NOT EXISTS " + quote_identifier(name));
}

Status check_empty(pg::Connection& connection,
                   const TableName& table,
                   const std::string& own_rows) {
  FRESHET_TRY(const pg::Rows rows,
              connection.query("SELECT EXISTS (SELECT FROM " + own_rows + ")"));
  if (!rows.boolean(0, 0)) return ok_status();
  return Error{ErrorKind::schema, "the table at the destination has rows that are not ours"}
      .with("table", to_string(table))
      .with("reason", kHasRows)
      .fix("empty it (TRUNCATE " + own_rows + ";), rename it, or write to another database");
}

}  // namespace

PostgresDestination::~PostgresDestination() {
  (void)close(std::chrono::steady_clock::now());
}

Traits PostgresDestination::traits() const {
  return {.keeps_position = true,
          .is_transactional = true,
          .needs_full_rows = false,
          .copies_concurrently = true,
          .takes_raw_copy = true,
          .keeps_chunks = true,
          .takes_objects = config_.schema == DestinationSchema::full};
}

Result<DestinationState> PostgresDestination::open(const Lease& lease) {
  probe_.reset();
  drop_writers();
  targets_.clear();
  touched_.clear();
  fresh_.clear();
  is_broken_ = true;
  is_in_part_ = false;
  lease_ = lease;
  FRESHET_TRY(auto connection,
              pg::Connection::open({.url = config_.url,
                                    .application_name = application_name(lease.pipeline),
                                    .interrupter = nullptr}));
  FRESHET_TRY(set_up(*connection));
  FRESHET_TRY(TakenOver taken, take_over(*connection, lease));
  session_ = std::make_unique<Session>(std::move(connection));
  FRESHET_TRY(make_writers());
  fence_ = taken.fence;
  epoch_ = taken.state.slot ? taken.state.slot->epoch : "";
  position_ = taken.state.position.value_or(Position{});
  durability_.reset(position_);
  last_proof_ = std::chrono::steady_clock::now();
  {
    const std::lock_guard lock{pool_mutex_};
    if (!pool_) pool_ = std::make_shared<RangePool>(config_.url, lease.pipeline);
    pool_->set_fence(fence_);
  }
  is_broken_ = false;
  FRESHET_TRY(resume_building());
  return taken.state;
}

void PostgresDestination::drop_writers() {
  row_by_row_.reset();
  quarantine_.reset();
  writer_.reset();
  session_.reset();
}

Status PostgresDestination::make_writers() {
  pg::Connection& connection = session_->connection();
  FRESHET_TRY(prepare_session(connection, lease_.pipeline, config_.name));
  writer_ = std::make_unique<GroupWriter>(*session_, targets_);
  quarantine_ = std::make_unique<Quarantine>(lease_.pipeline);
  row_by_row_ = std::make_unique<RowByRow>(
      RowByRow::Options{.destination = config_.name,
                        .on_conflict = config_.on_conflict,
                        .newest_by = config_.newest_by,
                        .is_mended = [this](const Error& error) { return may_relax(error); }},
      *session_, *writer_, targets_, *quarantine_);
  return quarantine_->load(connection);
}

Status PostgresDestination::check_open() const {
  if (session_ && !is_broken_) return ok_status();
  return Error{ErrorKind::connection, "the destination must be opened again"}.with("destination",
                                                                                   config_.name);
}

Status PostgresDestination::adopt_slot(const SlotIdentity& slot, Position start) {
  FRESHET_TRY(check_open());
  FRESHET_TRY(const Position kept,
              record_slot(session_->connection(), lease_.pipeline, fence_, slot, start));
  epoch_ = slot.epoch;
  position_ = kept;
  durability_.reset(kept);
  return ok_status();
}

Status PostgresDestination::forget_slot() {
  FRESHET_TRY(check_open());
  FRESHET_TRY(postgres::forget_slot(session_->connection(), lease_.pipeline, fence_));
  epoch_.clear();
  position_ = {};
  durability_.reset(position_);
  return ok_status();
}

// Within a transaction that is written in parts the work is a savepoint: what fails takes nothing
// of the parts before along.
Status PostgresDestination::in_transaction(const std::function<Status()>& work) {
  pg::Connection& connection = session_->connection();
  const bool is_own = !is_in_part_;
  // What the state store then knows of the table must not be lost here by a crash.
  FRESHET_TRY(connection.execute(is_own ? "BEGIN; SET LOCAL synchronous_commit = on"
                                        : "SAVEPOINT freshet_step"));
  Status done = is_own ? check_fence(connection, lease_.pipeline, fence_) : ok_status();
  if (done.ok()) done = work();
  if (done.ok()) done = connection.execute(is_own ? "COMMIT" : "RELEASE freshet_step");
  if (done.ok()) return done;
  const bool is_undone =
      connection.is_in_transaction() &&
      connection.execute(is_own ? "ROLLBACK" : "ROLLBACK TO freshet_step; RELEASE freshet_step")
          .ok();
  if (!is_undone) is_broken_ = true;
  return done;
}

Status PostgresDestination::open_probe() {
  if (probe_) return ok_status();
  FRESHET_TRY(auto probe, pg::Connection::open({.url = config_.url,
                                                .application_name = "freshet check",
                                                .interrupter = nullptr}));
  FRESHET_TRY(check_set_up(*probe));
  set_replica_role(*probe, config_.name);
  FRESHET_TRY(const pg::Rows rows, probe->query("SELECT n.nspname, c.relname FROM pg_class c "
                                                "JOIN pg_namespace n ON n.oid = c.relnamespace"));
  taken_names_.clear();
  for (int row = 0; row < rows.rows(); ++row)
    taken_names_.insert({rows.string(row, 0), rows.string(row, 1)});
  probe_ = std::move(probe);
  return ok_status();
}

Status PostgresDestination::check_newest_by(const TableSchema& schema) const {
  if (config_.newest_by.empty()) return ok_status();
  const auto found = find_newest_by(schema, config_.newest_by);
  return found.ok() ? ok_status() : Status{found.error()};
}

Status PostgresDestination::check_table(const SchemaPtr& schema) {
  FRESHET_TRY(check_newest_by(*schema));
  if (!session_) {
    FRESHET_TRY(open_probe());
    // Nothing to ask: with thousands of tables, asking is what takes time.
    if (has_plain_types(*schema) && !taken_names_.contains(schema->name)) return ok_status();
  }
  pg::Connection& connection = session_ ? session_->connection() : *probe_;
  const auto check = [&]() -> Status {
    FRESHET_TRY(const auto found, find_table(connection, schema->name));
    if (!found) return check_types(connection, *schema);
    FRESHET_TRY(postgres::check_table(connection, *schema, *found));
    FRESHET_TRY(const bool is_ours, is_recorded(connection, lease_.pipeline, schema->name));
    return is_ours ? ok_status()
                   : check_empty(connection, schema->name,
                                 own_rows_sql(schema->name, found->is_partitioned));
  };
  // Rolled back: whether pgvector can be created is only known by creating it.
  FRESHET_TRY(connection.execute("BEGIN"));
  Status checked = check();
  if (!connection.execute("ROLLBACK").ok()) {
    probe_.reset();
    is_broken_ = true;
  }
  return checked;
}

Status PostgresDestination::prepare_table(const SchemaPtr& schema) {
  FRESHET_TRY(check_open());
  fresh_.erase(schema->name);
  Status prepared = in_transaction([&] { return prepare_in_transaction(schema); });
  if (!prepared.ok() || is_in_part_) fresh_.erase(schema->name);
  targets_.forget(schema->name);
  return prepared;
}

// With thousands of tables, round trips and commits are what takes time.
Status PostgresDestination::prepare_tables(std::span<const SchemaPtr> schemas) {
  FRESHET_TRY(check_open());
  for (const SchemaPtr& schema : schemas)
    FRESHET_TRY(check_newest_by(*schema));
  FRESHET_TRY(const std::vector<SchemaPtr> new_ones, plain_and_missing(schemas));
  std::set<TableName> done;
  for (std::size_t start = 0; start < new_ones.size(); start += kTablesTogether) {
    const auto some = std::span{new_ones}.subspan(start).first(
        std::min(kTablesTogether, new_ones.size() - start));
    // Whatever is wrong with one of them is told by its own turn below.
    const Status created = in_transaction([&] { return create_together(some); });
    if (is_broken_) return created;
    for (const SchemaPtr& schema : some) {
      if (!created.ok()) continue;
      done.insert(schema->name);
      fresh_.insert(schema->name);
      targets_.forget(schema->name);
    }
  }
  for (const SchemaPtr& schema : schemas) {
    if (!done.contains(schema->name)) FRESHET_TRY(prepare_table(schema));
  }
  return ok_status();
}

Result<std::vector<SchemaPtr>> PostgresDestination::plain_and_missing(
    std::span<const SchemaPtr> schemas) {
  std::vector<SchemaPtr> found;
  if (schemas.size() < 2 || is_in_part_) return found;
  std::vector<TableName> names;
  for (const SchemaPtr& schema : schemas)
    names.push_back(schema->name);
  const pg::TableNameArrays wanted = pg::array_literals(names);
  FRESHET_TRY(const pg::Rows rows,
              session_->connection().query(sql::kSqlTablesHere,
                                           std::array{Text{wanted.schemas}, Text{wanted.tables}}));
  std::set<std::int64_t> taken;
  for (int row = 0; row < rows.rows(); ++row)
    taken.insert(rows.integer(row, 0));
  for (std::size_t i = 0; i < schemas.size(); ++i) {
    if (has_plain_types(*schemas[i]) && !taken.contains(static_cast<std::int64_t>(i)))
      found.push_back(schemas[i]);
  }
  return found;
}

Status PostgresDestination::create_together(std::span<const SchemaPtr> schemas) {
  pg::Connection& connection = session_->connection();
  std::set<std::string> namespaces;
  std::vector<TableName> names;
  std::string script;
  for (const SchemaPtr& schema : schemas) {
    std::vector<std::string> types;
    for (const Column& column : schema->columns)
      types.push_back(column.type_sql);
    namespaces.insert(schema->name.schema);
    names.push_back(schema->name);
    script += create_table_sql(*schema, types) + ";\n";
  }
  for (const std::string& name : namespaces)
    FRESHET_TRY(create_schema(connection, name));
  FRESHET_TRY(connection.execute(script));
  FRESHET_TRY(record_definitions(connection, lease_.pipeline, schemas));
  return record_phase(connection, lease_.pipeline, names, TablePhase::copying);
}

Status PostgresDestination::prepare_in_transaction(const SchemaPtr& schema) {
  pg::Connection& connection = session_->connection();
  const TableName& name = schema->name;
  FRESHET_TRY(check_newest_by(*schema));
  FRESHET_TRY(const auto found, find_table(connection, name));
  if (!found) {
    FRESHET_TRY(create_schema(connection, name.schema));
    FRESHET_TRY(create_table(connection, *schema));
    FRESHET_TRY(record_definitions(connection, lease_.pipeline, {&schema, 1}));
    FRESHET_TRY(record_phase(connection, lease_.pipeline, {&name, 1}, TablePhase::copying));
    fresh_.insert(name);
    return ok_status();
  }
  FRESHET_TRY(postgres::check_table(connection, *schema, *found));
  FRESHET_TRY(record_definitions(connection, lease_.pipeline, {&schema, 1}));
  FRESHET_TRY(const bool is_ours, is_recorded(connection, lease_.pipeline, name));
  if (is_ours) return ok_status();
  FRESHET_TRY(check_empty(connection, name, own_rows_sql(name, found->is_partitioned)));
  return record_phase(connection, lease_.pipeline, {&name, 1}, TablePhase::pending);
}

Status PostgresDestination::reset_table(const SchemaPtr& schema) {
  FRESHET_TRY(check_open());
  const TableName& name = schema->name;
  const auto drop_waiting = [&] { return quarantine_->drop(session_->connection(), name); };
  if (fresh_.erase(name) > 0) {
    // Of a table of that name which is gone.
    return quarantine_->has(name) ? in_transaction(drop_waiting) : ok_status();
  }
  if (builder_) builder_->forget(name);
  FRESHET_TRY(give_way({name}));
  Status emptied = in_transaction([&]() -> Status {
    pg::Connection& connection = session_->connection();
    FRESHET_TRY(postgres::release_foreign_keys(connection, lease_.pipeline, {&name, 1}));
    FRESHET_TRY(const bool is_ours, is_recorded(connection, lease_.pipeline, name));
    FRESHET_TRY(const std::string own_rows, find_own_rows_sql(connection, name));
    if (!is_ours) FRESHET_TRY(check_empty(connection, name, own_rows));
    // First, so that whoever replays them just now is waited for, and finds none afterwards.
    FRESHET_TRY(drop_waiting());
    FRESHET_TRY(connection.execute("TRUNCATE " + own_rows));
    // A copy into a table without vector indexes, and building them afterwards, is many times
    // faster than keeping them up row by row.
    FRESHET_TRY(
        const pg::Rows indexes,
        connection.query(sql::kSqlDropIndexRecords,
                         std::array{Text{lease_.pipeline}, Text{name.schema}, Text{name.table}}));
    for (int row = 0; row < indexes.rows(); ++row) {
      const TableObject index = vector_index_of(name, indexes.string(row, 0));
      FRESHET_TRY(const std::string here, find_here(connection, name, index));
      if (here != "here" && here != "unfinished") continue;
      FRESHET_TRY(
          connection.execute("DROP INDEX " + quote_identifier(TableName{name.schema, index.name})));
    }
    FRESHET_TRY(drop_objects(connection, lease_.pipeline, name));
    return record_phase(connection, lease_.pipeline, {&name, 1}, TablePhase::copying);
  });
  return emptied.ok() ? emptied : Status{of_definition(std::move(emptied).error())};
}

Result<std::unique_ptr<RangeWriter>> PostgresDestination::begin_range(const SchemaPtr& schema,
                                                                      const RangeId& range) {
  std::shared_ptr<RangePool> pool;
  {
    const std::lock_guard lock{pool_mutex_};
    pool = pool_;
  }
  if (!pool) return Error{ErrorKind::connection, "the destination must be opened again"};
  return open_range(std::move(pool), schema, range);
}

Status PostgresDestination::finish_copy(const SchemaPtr& schema) {
  FRESHET_TRY(check_open());
  IndexBuilder::Job job{.table = schema->name, .indexes = {}};
  for (const Column& column : schema->columns) {
    const auto dimensions = column.is_derived ? vector_dimensions(column.type_sql) : std::nullopt;
    if (!dimensions || !config_.vector_index.is_wanted) continue;
    if (*dimensions > kIndexDimensionsMax) {
      log_warn("vectors have too many dimensions for an HNSW index; queries go without one",
               {{"table", to_string(schema->name)},
                {"column", column.name},
                {"dimensions", *dimensions},
                {"most", kIndexDimensionsMax}});
      continue;
    }
    job.indexes.push_back(
        {column.name, config_.vector_index.m, config_.vector_index.ef_construction});
  }
  Status recorded = job.indexes.empty() ? ok_status() : in_transaction([&]() -> Status {
    for (const IndexBuilder::Index& index : job.indexes) {
      const std::string m = std::to_string(index.m);
      const std::string ef = std::to_string(index.ef_construction);
      FRESHET_TRY(session_->connection().query(
          sql::kSqlRecordIndex,
          std::array{Text{lease_.pipeline}, Text{schema->name.schema}, Text{schema->name.table},
                     Text{index.column}, Text{m}, Text{ef}}));
    }
    return ok_status();
  });
  FRESHET_TRY(std::move(recorded));
  builder().add(std::move(job));
  return ok_status();
}

Status PostgresDestination::evolve(const SchemaPtr& from, const SchemaPtr& to) {
  FRESHET_TRY(check_open());
  FRESHET_TRY(give_way({to->name}));
  Status evolved = in_transaction([&]() -> Status {
    pg::Connection& connection = session_->connection();
    FRESHET_TRY(const SchemaPtr made_for, load_definition(connection, lease_.pipeline, to->name));
    const TableSchema& before = made_for ? *made_for : *from;
    // First, so that whoever replays them just now is waited for.
    FRESHET_TRY(quarantine_->outdate(connection, to->name, lost_names(before, *to)));
    if (loses_columns(before, *to)) {
      FRESHET_TRY(postgres::release_foreign_keys(connection, lease_.pipeline, {&to->name, 1}));
      may_complete_ = true;
    }
    FRESHET_TRY(evolve_table(connection, before, *to));
    if (key_names(*from) != key_names(*to))
      FRESHET_TRY(quarantine_->hold_every_key(connection, to->name));
    return record_definitions(connection, lease_.pipeline, {&to, 1});
  });
  targets_.forget(to->name);
  return evolved.ok() ? evolved : Status{of_definition(std::move(evolved).error())};
}

// Whether NULL in that column is the source's doing.
Result<bool> PostgresDestination::may_be_null(const TableSchema& schema,
                                              std::string_view name) const {
  const int place = schema.find(name);
  if (place >= 0) {
    const Column& column = schema.columns[static_cast<std::size_t>(place)];
    return !(schema.has_key() && column.is_identity) && column.primary_key_place == 0;
  }
  // A column that the source dropped, and that was to stay here.
  FRESHET_TRY(const SchemaPtr made_for,
              load_definition(session_->connection(), lease_.pipeline, schema.name));
  return made_for && made_for->find(name) >= 0;
}

bool PostgresDestination::may_relax(const Error& error) const {
  if (error.sqlstate() != pg::sqlstate::kNotNullViolation || is_relax_refused_) return false;
  const TableName table{std::string{error.find("schema")}, std::string{error.find("table")}};
  for (const Run& run : group_->runs) {
    if (!run.schema || run.schema->name != table) continue;
    const auto may_be = may_be_null(*run.schema, error.find("column"));
    if (may_be.ok() && *may_be) return true;
  }
  return false;
}

Result<bool> PostgresDestination::relax(const Error& error) {
  if (!may_relax(error)) return false;
  const TableName table{std::string{error.find("schema")}, std::string{error.find("table")}};
  FRESHET_TRY(give_way({table}));
  // Of an identity column NOT NULL cannot be taken; the source's is none any more.
  Status relaxed = in_transaction([&] {
    return session_->connection().execute(
        fmt::format("ALTER TABLE {0} ALTER COLUMN {1} DROP IDENTITY IF EXISTS;"
                    "ALTER TABLE {0} ALTER COLUMN {1} DROP NOT NULL",
                    quote_identifier(table), quote_identifier(error.find("column"))));
  });
  // The table is not ours to alter: then it is the row that does not fit.
  is_relax_refused_ =
      !relaxed.ok() && relaxed.error().kind() == ErrorKind::permission && !is_broken_;
  if (is_relax_refused_) return true;
  FRESHET_TRY(std::move(relaxed));
  log_warn("NULL is allowed at the destination now, as the source has one",
           {{"table", to_string(table)}, {"column", error.find("column")}});
  return true;
}

std::vector<TableConflicts> PostgresDestination::take_conflicts() {
  if (!row_by_row_) return {};
  return row_by_row_->take_conflicts();
}

Status PostgresDestination::close(std::chrono::steady_clock::time_point /*deadline*/) {
  // Nothing here waits: running statements are broken off, and what was not committed goes with
  // its connection.
  if (builder_) builder_->stop();
  builder_.reset();
  {
    const std::lock_guard lock{pool_mutex_};
    if (pool_) pool_->close();
    pool_.reset();
  }
  probe_.reset();
  drop_writers();
  targets_.clear();
  is_broken_ = true;
  return ok_status();
}

}  // namespace freshet::postgres

namespace freshet {

Result<std::unique_ptr<Destination>> make_postgres_destination(const DestinationConfig& config) {
  if (config.url.empty()) {
    return Error{ErrorKind::config, "the destination has no url"}.with("destination", config.name);
  }
  return std::unique_ptr<Destination>{std::make_unique<postgres::PostgresDestination>(config)};
}

}  // namespace freshet
