// A session's start-up. Everything that can be refused is looked at before anything is created; the
// slot comes before the copy, and the destinations learn of it before a change is streamed.
#include <algorithm>

#include "base/error_policy.h"
#include "base/log.h"
#include "base/sql_quote.h"
#include "base/try.h"
#include "destinations/registry.h"
#include "pg/connection_room.h"
#include "pipeline/connection_budget.h"
#include "pipeline/copy_choice.h"
#include "pipeline/session.h"
#include "source/filter_probe.h"

namespace freshet {
namespace {

Error bad_table(const TableName& name, std::string what) {
  return Error{ErrorKind::setting, std::move(what)}.with("table", to_string(name));
}

// What does not fit is for somebody to set right before anything is begun.
Error as_setting(const Error& error) {
  return error.kind() == ErrorKind::schema ? with_kind(ErrorKind::setting, error) : error;
}

bool has_rows(const Error& error) {
  return error.find("reason") == kHasRows;
}

// A column list without the key's columns keeps them: rows could not be addressed without.
void warn_of_kept_columns(const TablePlan& plan) {
  const std::vector<std::string>& listed = plan.config.columns;
  const TableSchema& schema = plan.catalog.schema;
  if (listed.empty() || schema.identity == ReplicaIdentity::full) return;
  for (const Column& column : schema.columns) {
    const bool is_listed = std::find(listed.begin(), listed.end(), column.name) != listed.end();
    if (!column.is_identity || is_listed) continue;
    log_warn("a column of the key is delivered although it is not listed",
             {{"table", to_string(schema.name)}, {"column", column.name}});
  }
}

}  // namespace

Status Session::open_source(const std::stop_token& stop) {
  set_activity("connecting to the source");
  FRESHET_TRY(sql_, pg::Connection::open(connect_options("control")));
  FRESHET_TRY(check_source_settings());
  // Also proves that the role may replicate and that pg_hba.conf lets it.
  FRESHET_TRY(replication_, source::ReplicationConnection::open(connect_options("reader")));
  FRESHET_TRY(system_, replication_->identify_system());
  FRESHET_TRY(stored_, options_.state.load(options_.config.pipeline));
  const bool is_known =
      stored_.slot && stored_.slot->system_identifier == system_.system_identifier;
  if (is_standby_ && is_known) FRESHET_TRY(await_replay(stop));
  for (auto& [destination, schema] : std::exchange(stored_.schemas, {})) {
    const std::pair key{destination, schema.name};
    stored_schemas_.emplace(key, std::make_shared<const TableSchema>(std::move(schema)));
  }
  take_pauses();
  // Also where the session comes to nothing, as a destination is away: the slot waits meanwhile.
  FRESHET_TRY(
      options_.slot_watch.look(*sql_, has_run_before() ? stored_.slot->slot_name : slot_name()));
  return check_free_slot();
}

// The application that owns the database needs connections as well.
Result<std::uint32_t> Session::budget_copy() {
  const PipelineConfig& config = options_.config;
  FRESHET_TRY(const pg::ConnectionRoom room,
              pg::look_at_connection_room(*sql_, application_name(config.pipeline)));
  const std::uint32_t connections = copy_sessions(config, room.free);
  if (connections < config.source.copy.connections) {
    log_warn("the source has room for fewer sessions than the copy is to take",
             {{"wanted", config.source.copy.connections},
              {"taken", connections},
              {"limit", room.limit},
              {"free", room.free}});
  }
  return connections;
}

Status Session::check_source_settings() {
  FRESHET_TRY(const pg::Rows rows,
              sql_->query("SELECT current_setting('wal_level'), pg_catalog.pg_is_in_recovery()"));
  is_standby_ = rows.boolean(0, 1);
  if (is_standby_) FRESHET_TRY(check_standby());
  if (rows.text(0, 0) != "logical") {
    return Error{ErrorKind::setting, "the source does not write WAL for logical replication"}
        .with("wal_level", rows.text(0, 0))
        .fix(
            "ALTER SYSTEM SET wal_level = 'logical'; then restart the server (on Amazon RDS set "
            "rds.logical_replication = 1, on Cloud SQL cloudsql.logical_decoding = on)");
  }
  return ok_status();
}

bool Session::has_run_before() const {
  return stored_.slot && stored_.slot->consistent_point != kNoLsn;
}

// Asked before anything is created; the slot's creation has the last word.
Status Session::check_free_slot() {
  if (has_run_before() || options_.config.source.adopts_slot) return ok_status();
  FRESHET_TRY(const pg::Rows rows,
              sql_->query("SELECT count(*), current_setting('max_replication_slots')::int "
                          "FROM pg_catalog.pg_replication_slots"));
  if (rows.integer(0, 0) < rows.integer(0, 1)) return ok_status();
  return Error{ErrorKind::setting, "all replication slots are in use"}
      .with("max_replication_slots", rows.text(0, 1))
      .fix(
          "drop a slot that is not needed (SELECT slot_name FROM pg_replication_slots WHERE NOT "
          "active), or raise max_replication_slots and restart the server");
}

Result<std::vector<TableConfig>> Session::list_tables() {
  const SourceConfig& source = options_.config.source;
  if (!source.tables.empty()) return source.tables;
  if (source.publications.empty()) {
    return Error{ErrorKind::config, "no tables to stream"}.fix(
        "list them under source.tables, or name a publication");
  }
  FRESHET_TRY(const std::vector<TableName> names,
              source::list_published_tables(*sql_, source.publications));
  std::vector<TableConfig> tables;
  for (const TableName& name : names)
    tables.push_back({.name = name, .columns = {}, .where = {}});
  return tables;
}

Status Session::load_tables() {
  FRESHET_TRY(std::vector<TableConfig> tables, list_tables());
  const std::vector<TableName> names = source::names_of(tables);
  FRESHET_TRY(auto catalog, source::load_tables(*sql_, names));
  for (std::size_t i = 0; i < tables.size(); ++i) {
    TablePlan plan;
    plan.catalog = std::move(catalog[i]);
    FRESHET_TRY(admit(plan.catalog));
    plan.transforms = options_.transforms.of(names[i]);
    plan.masked = masked_columns(options_.config, names[i]);
    plan.config = std::move(tables[i]);
    plans_.emplace(names[i], std::move(plan));
  }
  return ok_status();
}

// Once there is a pipeline that others depend on, a table that may not be read is set aside.
Status Session::admit(const source::CatalogTable& table) {
  Status checked = check_table(table);
  if (checked.ok() || checked.error().kind() != ErrorKind::permission) return checked;
  if (is_paused(table.schema.name)) return ok_status();
  if (!has_run_before()) return checked;
  const std::string& first = options_.config.destinations.front().name;
  if (options_.set_aside.contains({first, table.schema.name})) return ok_status();
  return set_aside(table.schema.name, checked.error());
}

Status Session::check_table(const source::CatalogTable& table) const {
  const TableName& name = table.schema.name;
  if (table.kind != 'r' && table.kind != 'p') {
    return bad_table(
        name, "only tables can be replicated, and this is a view, a foreign table or the like");
  }
  if (table.persistence != 'p') {
    return bad_table(name, "unlogged and temporary tables are not replicated")
        .fix("ALTER TABLE " + quote_identifier(name) + " SET LOGGED;");
  }
  if (!table.can_select) {
    return Error{ErrorKind::permission, "the role may not read the table"}
        .with("table", to_string(name))
        .fix("GRANT USAGE ON SCHEMA " + quote_identifier(name.schema) +
             " TO CURRENT_ROLE; GRANT SELECT ON " + quote_identifier(name) +
             " TO the role of source.url;");
  }
  if (table.has_row_security) {
    return Error{ErrorKind::permission,
                 "row level security would hide rows of the table from the copy"}
        .with("table", to_string(name))
        .fix("ALTER ROLE <the role of source.url> BYPASSRLS;");
  }
  return ok_status();
}

Status Session::plan_publications() {
  std::vector<TableConfig> tables;
  for (const auto& [name, plan] : plans_)
    tables.push_back(plan.config);
  const std::vector<std::string> names = publication_names();
  const bool is_ours = options_.config.source.publications.empty();
  FRESHET_TRY(const bool exists, source::has_publication(*sql_, names.front()));
  const source::PublicationRequest request{
      .name = names.front(),
      .tables = tables,
      .publishes_via_root = options_.config.source.publishes_via_root};
  std::vector<source::TablePublication> left_to_us;
  if (!exists && is_ours) {
    if (has_run_before()) {
      return Error{ErrorKind::gap, "the publication was dropped while changes were being streamed"}
          .with("publication", names.front());
    }
    FRESHET_TRY(new_publication_, source::plan_publication(*sql_, request));
    if (is_standby_) {
      return Error{ErrorKind::setting,
                   "the publication does not exist, and on a standby none can be created"}
          .with("publication", names.front())
          .fix("at the primary: " + new_publication_->sql);
    }
    left_to_us = new_publication_->tables;
  } else {
    if (stored_.publication == names.front() && !is_standby_) {
      FRESHET_TRY(source::update_publication(*sql_, request));
    }
    FRESHET_TRY(const source::PublicationCheck check,
                source::check_publications(*sql_, names, tables));
    for (const std::string& warning : check.warnings)
      log_warn(warning, {{"publication", names.front()}});
    left_to_us = check.tables;
  }
  for (const source::TablePublication& table : left_to_us) {
    plans_.at(table.name).publication = table;
    warn_of_kept_columns(plans_.at(table.name));
  }
  return ok_status();
}

// Of tables that were never followed; later only a new copy would need it.
Status Session::check_copy_conditions() {
  for (const auto& [name, plan] : plans_) {
    if (any_stored_schema(name)) continue;
    FRESHET_TRY(source::check_conditions(*sql_, plan.config));
  }
  return ok_status();
}

Status Session::open_destinations() {
  set_activity("opening destinations");
  for (const DestinationConfig& config : options_.config.destinations) {
    OpenDestination opened{.name = config.name, .destination = nullptr, .state = {}};
    FRESHET_TRY(opened.destination, make_destination(config));
    destinations_.push_back(std::move(opened));
  }
  FRESHET_TRY(choose_copies());
  FRESHET_TRY(check_destination_tables());
  for (OpenDestination& opened : destinations_) {
    auto state = opened.destination->open(options_.lease);
    if (!state.ok()) return std::move(state).error().with("destination", opened.name);
    opened.state = std::move(state).value();
    if (!opened.destination->traits().keeps_position) {
      // The state store keeps for it what it does not keep itself.
      opened.state.slot = stored_.slot;
      for (const DestinationProgress& progress : stored_.positions) {
        if (progress.destination == opened.name) opened.state.position = progress.position;
      }
      for (const TableState& table : stored_.tables) {
        if (table.destination == opened.name)
          opened.state.tables.push_back({table.table, table.phase});
      }
    }
  }
  return ok_status();
}

// Of a pipeline that is new. One that ran before may find a definition here that its stream has yet
// to bring.
Status Session::check_destination_tables() {
  if (has_run_before()) return ok_status();
  for (const auto& [name, plan] : plans_) {
    if (is_paused(name)) continue;
    FRESHET_TRY(const ShapePtr shape, make_copy_shape(plan));
    for (OpenDestination& opened : destinations_) {
      Status status = opened.destination->check_table(shape->output);
      if (!status.ok() && !(is_uncopied(plan) && has_rows(status.error())))
        return as_setting(std::move(status).error().with("destination", opened.name));
    }
  }
  return ok_status();
}

bool Session::is_uncopied(const TablePlan& plan) const {
  return wanted_copy(options_.config.source.copy, plan.config) == CopyMode::none;
}

// Tables that are not to be copied are followed from where the destination stands. What it has of
// them stays.
Status Session::begin_uncopied(OpenDestination& opened) {
  std::vector<PhaseChange> phases;
  for (const auto& [name, plan] : plans_) {
    const auto record = std::find_if(opened.state.tables.begin(), opened.state.tables.end(),
                                     [&](const TableRecord& table) { return table.name == name; });
    const bool is_new = record == opened.state.tables.end();
    const bool has_begun = !is_new && record->phase != TablePhase::pending;
    if (!is_uncopied(plan) || has_begun || is_paused(name) ||
        options_.set_aside.contains({opened.name, name}))
      continue;
    FRESHET_TRY(const ShapePtr shape, make_copy_shape(plan));
    Status prepared = opened.destination->prepare_table(shape->output);
    if (!prepared.ok() && !has_rows(prepared.error())) return prepared;
    phases.push_back({name, TablePhase::streaming});
    if (!is_new) opened.state.tables.erase(record);
    opened.state.tables.push_back({name, TablePhase::streaming});
  }
  if (phases.empty()) return ok_status();
  auto written = opened.destination->write(
      Group{.runs = {}, .phases = phases, .upto = *opened.state.position}, Durability::required);
  return written.ok() ? ok_status() : Status{std::move(written).error()};
}

Status Session::make_lanes() {
  resolver_ = std::make_unique<SchemaResolver>(connect_options("catalog"), plans_, stopping_);
  // After the destinations were opened, so that no earlier process can write there any more.
  FRESHET_TRY(const Lsn now, load_reread_limit());
  for (OpenDestination& opened : destinations_) {
    const auto config =
        std::find_if(options_.config.destinations.begin(), options_.config.destinations.end(),
                     [&](const DestinationConfig& one) { return one.name == opened.name; });
    FRESHET_TRY(begin_uncopied(opened));
    FRESHET_TRY(auto spill, DiskSpillStore::open(options_.spill_directory));
    spills_.push_back(std::move(spill));
    auto lane = std::make_unique<Lane>(
        Lane::Options{.name = opened.name,
                      .destination = std::move(opened.destination),
                      .opened = opened.state,
                      .patchy = patchy_at(*config),
                      .reread_upto = now,
                      .has_conflict_policy = config->on_conflict != OnConflict::error},
        LaneSurroundings{.plans = plans_,
                         .resolver = *resolver_,
                         .spill = *spills_.back(),
                         .state = options_.state,
                         .lease = options_.lease,
                         .reader_wake = wake_,
                         .failure = failure_,
                         .router_mutex = router_mutex_,
                         .skipped = options_.skipped,
                         .is_urgent = is_urgent_});
    FRESHET_TRY(set_routes(*lane, opened.state));
    const std::lock_guard lock(threads_mutex_);
    lanes_.push_back(std::move(lane));
  }
  return check_skipped();
}

// To ask for what has been is a mistake that nothing later would show.
Status Session::check_skipped() {
  SkippedCommit& skipped = options_.skipped;
  if (!skipped.is_asked_for_anew()) return ok_status();
  const bool is_behind = std::all_of(lanes_.begin(), lanes_.end(), [&](const auto& lane) {
    return skipped.is_behind(lane->written());
  });
  if (!is_behind) return ok_status();
  return Error{ErrorKind::config, "the transaction to be left out is behind all destinations"}
      .with("skip-lsn", to_string(skipped.commit_lsn()))
      .with("position", to_string(lanes_.front()->written().end))
      .fix("give the commit_lsn that the last error names");
}

// What the table looked like when an earlier run last followed it there; null if none did.
SchemaPtr Session::stored_schema(const std::string& destination, const TableName& table) const {
  const auto found = stored_schemas_.find({destination, table});
  return found == stored_schemas_.end() ? nullptr : found->second;
}

// The same of the first destination that has it.
SchemaPtr Session::any_stored_schema(const TableName& table) const {
  for (const DestinationConfig& config : options_.config.destinations) {
    if (SchemaPtr stored = stored_schema(config.name, table)) return stored;
  }
  return nullptr;
}

// What the destination's table looks like. Where it keeps that itself it knows best: the state
// store may not yet have heard of a change that was made.
SchemaPtr Session::known_schema(const Lane& lane,
                                const DestinationState& state,
                                const TablePlan& plan) const {
  const auto found = state.definitions.find(plan.config.name);
  const bool is_kept_there = found != state.definitions.end() && !plan.kept;
  return is_kept_there ? found->second : stored_schema(lane.name(), plan.config.name);
}

Status Session::set_routes(Lane& lane, const DestinationState& state) {
  leave_halted(lane, state);
  std::map<TableName, TablePhase> phases;
  for (const TableRecord& record : state.tables)
    phases.emplace(record.name, record.phase);
  for (const auto& [name, plan] : plans_) {
    const auto record = phases.find(name);
    const auto recorded = record == phases.end() ? std::nullopt : std::optional{record->second};
    lane.count_copied(name, 0, 0);
    if (is_paused(name) || options_.set_aside.contains({lane.name(), name})) {
      lane.router().add_set_aside(name, is_paused(name) ? TablePhase::paused : TablePhase::errored);
      continue;
    }
    // Where neither a phase nor a definition is recorded there is no table of ours: what the state
    // store says is of another life of it. (The phases go where the slot was lost.)
    const bool is_there = recorded || state.definitions.contains(name);
    const SchemaPtr known = is_there ? known_schema(lane, state, plan) : nullptr;
    FRESHET_TRY(const bool is_streaming, goes_on(lane, plan, known, recorded));
    if (!is_streaming) {
      lane.router().add_pending(name);
      // The table that stands there may have an older shape.
      if (known) lane.set_current(known);
      if (!is_to_resync(name)) FRESHET_TRY(resume_chunks(lane, state, plan));
      continue;
    }
    lane.router().add_streaming(name);
    if (known) {
      lane.set_current(known);
      continue;
    }
    FRESHET_TRY(const ShapePtr shape, make_copy_shape(plan));
    lane.set_current(shape->output);
    FRESHET_TRY(options_.state.store_schema(
        options_.lease, {.destination = lane.name(), .schema = *shape->output}));
  }
  return record_left_out(lane, state);
}

// The destination must know which tables it does not follow before a change of theirs is skipped:
// those set aside or paused, and those that left the pipeline, should they come back one day. One
// that it has no record of gets none: a record would make rows ours that were never written by us.
Status Session::record_left_out(Lane& lane, const DestinationState& state) {
  std::vector<PhaseChange> phases;
  for (const TableName& table : lane.router().tables_in(TablePhase::paused))
    FRESHET_TRY(store_paused(lane, table, "paused by `freshet table pause`"));
  for (const TableRecord& record : state.tables) {
    const bool is_ours = plans_.contains(record.name);
    const TablePhase phase = is_ours ? lane.router().phase(record.name) : TablePhase::paused;
    const bool is_left_out = phase == TablePhase::paused || phase == TablePhase::errored;
    if (!is_left_out || record.phase == phase) continue;
    phases.push_back({record.name, phase});
    if (is_ours) continue;
    log_warn("a table is not in the pipeline any more; the destination keeps what it has of it",
             {{"destination", lane.name()}, {"table", to_string(record.name)}});
    FRESHET_TRY(store_paused(lane, record.name, "not in the pipeline"));
  }
  if (phases.empty()) return ok_status();
  auto written = lane.destination().write(
      Group{.runs = {}, .phases = phases, .upto = *state.position}, Durability::required);
  return written.ok() ? ok_status() : Status{std::move(written).error()};
}

Status Session::store_paused(const Lane& lane, const TableName& table, std::string_view reason) {
  return options_.state.store_table(options_.lease, {.destination = lane.name(),
                                                     .table = table,
                                                     .phase = TablePhase::paused,
                                                     .reason = std::string{reason}});
}

// Once the slot is ours: nobody else can move it past a PREPARE any more. Nor has anybody, if it
// stands no further than an earlier session left it.
Result<Undecided> Session::look_at_prepared() {
  if (!options_.config.source.is_two_phase) return Undecided{};
  StreamMemory& known = options_.stream;
  if (known.epoch != slot_.epoch || confirmed_flush_ > known.acknowledged) {
    FRESHET_TRY(known.undecided, source::load_undecided(*sql_));
    known.epoch = slot_.epoch;
  }
  return known.undecided;
}

Status Session::start_threads() {
  const SourceConfig& source = options_.config.source;
  Position published = lanes_.front()->written();
  for (const auto& lane : lanes_)
    published = std::min(published, lane->written());
  const source::StartOptions start{
      .slot = slot_.slot_name,
      // Prepared transactions from before `published` may be undecided:
      // they come again only if we begin where the slot stands.
      .start = source.is_two_phase ? Position{confirmed_flush_} : published,
      .publications = publication_names(),
      .is_streaming = source.is_streaming,
      .is_two_phase = source.is_two_phase,
      .is_binary = source.is_binary,
      .origin = source.origin};
  FRESHET_TRY(replication_->start(start));
  FRESHET_TRY(Undecided undecided, look_at_prepared());
  FRESHET_TRY(auto spill, DiskSpillStore::open(options_.spill_directory));
  spills_.push_back(std::move(spill));
  FRESHET_TRY(const std::uint32_t copy_connections, budget_copy());
  auto copier =
      std::make_unique<Copier>(Copier::Options{.connect = connect_options("copy"),
                                               .system_identifier = system_.system_identifier,
                                               .connections = copy_connections,
                                               .slot_snapshot = std::move(slot_snapshot_)},
                               plans_, lanes_, router_mutex_, failure_);
  auto reader = std::make_unique<Reader>(
      Reader::Options{.connect = connect_options("reader"),
                      .start = start,
                      .published = published,
                      .confirmed_flush = confirmed_flush_,
                      .undecided = std::move(undecided),
                      .slot = slot_,
                      .memory_bytes_max = source.memory_bytes_max,
                      .on_reconnect = [this]() -> Status {
                        copier_->void_unsettled(reader_->received());
                        return ok_status();
                      }},
      std::move(replication_), lanes_, *spills_.back(), wake_, failure_, is_urgent_);
  {
    const std::lock_guard lock(threads_mutex_);
    copier_ = std::move(copier);
    reader_ = std::move(reader);
  }
  for (const auto& lane : lanes_)
    lane->start();
  FRESHET_TRY(copier_->start());
  reader_->start();
  has_streamed_.store(true, std::memory_order_release);
  log_info("streaming", {{"slot", slot_.slot_name}, {"lsn", to_string(published.end)}});
  return ok_status();
}

}  // namespace freshet
