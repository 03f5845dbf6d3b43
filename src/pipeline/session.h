// One attempt at running a pipeline: from opening everything to closing it, or to the first error.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "freshet/config.h"
#include "freshet/state_store.h"
#include "pipeline/copier.h"
#include "pipeline/failure.h"
#include "pipeline/lane.h"
#include "pipeline/lease_renewal.h"
#include "pipeline/pipeline.h"
#include "pipeline/reader.h"
#include "pipeline/set_aside.h"
#include "pipeline/skipped_commit.h"
#include "pipeline/slot_watch.h"
#include "pipeline/spill_file.h"
#include "pipeline/transform_set.h"
#include "source/slot.h"
#include "source/slot_adoption.h"
#include "source/table_watch.h"

namespace freshet {

/// What the sessions of one process know of a slot's stream.
struct StreamMemory {
  std::string epoch;  ///< SlotIdentity::epoch
  Undecided undecided;
  Lsn acknowledged = kNoLsn;  ///< Where nobody but us can have moved the slot to.
};

/// run() is called once; stats from any thread.
class Session {
 public:
  struct Options {
    const PipelineConfig& config;
    StateStore& state;
    const Lease& lease;
    const LeaseRenewal& renewal;
    TransformSet& transforms;
    SetAsideTables& set_aside;         ///< Outlives the session.
    ReadableTables& taken_up;          ///< The same.
    TablesToCopyAgain& to_copy_again;  ///< The same.
    PatchyTables& patchy;              ///< The same.
    /// The same: how often the slot was lost since all tables were streaming.
    unsigned& slot_losses;
    SlotWatch& slot_watch;   ///< The same.
    SkippedCommit& skipped;  ///< The same.
    StreamMemory& stream;    ///< The same.
    std::string spill_directory;
  };

  explicit Session(Options options);
  ~Session();

  Status run(const std::stop_token& stop, const Until& until);
  void add_stats(PipelineStats& stats) const;

  /// True if run() ended well in order to begin again: with other tables, or fewer or more of them
  /// left out.
  bool wants_restart() const { return wants_restart_; }

  /// True once changes were being streamed: what fails afterwards is worth trying again.
  bool has_streamed() const { return has_streamed_.load(std::memory_order_acquire); }

 private:
  using Clock = std::chrono::steady_clock;

  /// News of a table that has this definition wait until the stream has come there.
  struct Awaited {
    Lsn upto = kNoLsn;
    std::string definition{};
  };

  struct OpenDestination {
    std::string name;
    std::unique_ptr<Destination> destination;
    DestinationState state;
  };

  bool has_run_before() const;
  // Start-up, in this order (session_start.cc; what concerns the slot: session_slot.cc).
  Status open_source(const std::stop_token& stop);
  Status check_source_settings();
  // Of a source that is a standby (session_standby.cc).
  Status check_standby();
  Status await_replay(const std::stop_token& stop);
  Status check_replayed(Position known);
  Result<Lsn> load_reread_limit();
  Status check_free_slot();
  Result<std::uint32_t> budget_copy();
  Status plan_tables(const std::stop_token& stop);
  Status load_tables();
  Result<std::vector<TableConfig>> list_tables();
  Status check_table(const source::CatalogTable& table) const;
  Status admit(const source::CatalogTable& table);
  Status plan_publications();
  Status check_binary();
  Status check_binary_types();
  Status check_copy_conditions();
  Error naming_suspects(Error error);
  Error naming_copy_condition(Error error) const;
  Status settle_policies();
  Status open_destinations();
  Status check_destination_tables();
  Status find_or_create_slot(const std::stop_token& stop);
  std::optional<SlotIdentity> known_slot() const;
  Status resume_slot(const SlotIdentity& slot, const std::stop_token& stop);
  Result<source::IdentityCheck> look_at_slot();
  void follow_promotion();
  void warn_of_slot(const std::optional<source::SlotRow>& row) const;
  Status replace_slot(const std::optional<source::SlotRow>& left,
                      const Error& loss,
                      const std::stop_token& stop);
  Status check_replaceable(const std::optional<source::SlotRow>& left, const Error& loss) const;
  Status forget_phases(const OpenDestination& opened);
  bool may_replace_after(const Error& error);
  Status create_slot(const std::stop_token& stop);
  Status take_over_slot();
  Position first_position() const;
  Status make_publication(const std::stop_token& stop);
  SlotIdentity new_slot_identity(const std::string& name) const;
  Status make_new_slot(const std::stop_token& stop);
  Status adopt_everywhere();
  Status adopt(OpenDestination& opened, Position start);
  bool is_uncopied(const TablePlan& plan) const;
  Status begin_uncopied(OpenDestination& opened);
  Status make_lanes();
  Result<Undecided> look_at_prepared();
  Status check_skipped();
  SchemaPtr stored_schema(const std::string& destination, const TableName& table) const;
  SchemaPtr any_stored_schema(const TableName& table) const;
  SchemaPtr known_schema(const Lane& lane,
                         const DestinationState& state,
                         const TablePlan& plan) const;
  Status set_routes(Lane& lane, const DestinationState& state);
  void leave_halted(const Lane& lane, const DestinationState& state);
  Result<bool> goes_on(Lane& lane,
                       const TablePlan& plan,
                       const SchemaPtr& known,
                       std::optional<TablePhase> recorded);
  Status empty(Lane& lane, const SchemaPtr& known);
  std::string_view ignored_changes(const Lane& lane, const TableName& table) const;
  Status record_left_out(Lane& lane, const DestinationState& state);
  Status store_paused(const Lane& lane, const TableName& table, std::string_view reason);
  Status choose_copies();
  Status resume_chunks(Lane& lane, const DestinationState& state, const TablePlan& plan);
  Status start_threads();

  // Running (session.cc).
  Status watch(const std::stop_token& stop, const Until& until);
  Result<bool> has_reached(const Until& until);
  Status check_all_arrived() const;
  Status failure_but_stopped() const;

  // What happens at the source without the stream telling (session_watch.cc).
  std::vector<TableName> table_names() const;
  Status begin_watching();
  Status look_after_source();
  Status limit_looks();
  void give_up_look(const Error& error);
  void look_at_slots_room();
  Status look_at_publications();
  Status look_at_tables();
  Status look_for_new_tables();
  bool is_copied(const Lane& lane, const TableName& table) const;
  Result<std::set<TableName>> find_made_again(std::span<const source::WatchedTable> looked);
  Result<bool> may_be_told(const TableName& table,
                           const source::WatchedTable& now,
                           source::TableNews& news);
  Status answer(const TableName& table, const source::TableNews& news);
  Status resync(const TableName& table,
                std::string_view reason,
                const source::FollowedState& answer);
  void take_up_again(const TableName& table, bool can_select);

  // What operators want of single tables (session_wishes.cc).
  void take_pauses();
  bool is_to_resync(const TableName& table) const;
  Status look_at_wishes();
  Status grant_resync(const WishedTable& wished);
  Status forget_granted_wishes();

  bool is_paused(const TableName& table) const { return paused_.contains(table); }

  // Tables that must not stop the others (session_set_aside.cc).
  std::optional<TableName> table_of(const Error& error) const;
  Status set_aside(const TableName& table, const Error& error);
  bool is_set_aside(const TableName& table) const;
  bool waits_to_be_readable(const TableName& table) const;
  Result<bool> set_aside_culprit(const Error& error);
  std::set<TableName> patchy_at(const DestinationConfig& destination) const;
  bool came_in_by_filter(const TableName& table, const Error& error) const;
  void set_urgency(const Until& until);
  bool is_all_streaming() const;
  void stop_threads(bool is_clean);
  void set_activity(std::string activity);
  pg::ConnectOptions connect_options(const std::string& role) const;
  std::string slot_name() const;
  std::vector<std::string> publication_names() const;

  Options options_;
  std::shared_ptr<pg::Interrupter> interrupter_;
  std::shared_ptr<pg::Interrupter> stopping_;  // of what lanes ask of tables
  std::unique_ptr<pg::Connection> sql_;
  std::unique_ptr<source::ReplicationConnection> replication_;
  source::SystemIdentity system_;
  bool is_standby_ = false;  // the source, when this session began
  StoredPipeline stored_;
  // By destination; as stored_ had them.
  std::map<std::pair<std::string, TableName>, SchemaPtr> stored_schemas_;
  std::set<TableName> paused_;  // by an operator's wish, when this session began
  TablePlans plans_;
  std::vector<source::WatchedTable> watched_;  // as last looked at, in the order of plans_
  std::set<std::pair<SchemaPtr, std::string>> compared_;  // of tables that are followed, and looks
  std::map<TableName, Awaited> awaited_;
  std::optional<source::PublicationPlan> new_publication_;
  std::vector<OpenDestination> destinations_;
  SlotIdentity slot_;
  Lsn confirmed_flush_ = kNoLsn;
  std::unique_ptr<source::SnapshotCoordinator> slot_snapshot_;

  Failure failure_;
  Wake wake_;
  mutable std::mutex router_mutex_;
  std::atomic<bool> is_urgent_{false};
  std::unique_ptr<SchemaResolver> resolver_;
  std::vector<std::unique_ptr<DiskSpillStore>> spills_;
  mutable std::mutex threads_mutex_;  // guards the three members below against stats()
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::unique_ptr<Copier> copier_;
  std::unique_ptr<Reader> reader_;

  Lsn caught_up_target_ = kNoLsn;
  Clock::time_point last_look_{};
  Clock::time_point looked_{};  // when a look last came to its end
  Clock::time_point last_wish_look_{};
  std::atomic<bool> has_streamed_{false};
  bool wants_restart_ = false;
  mutable std::mutex activity_mutex_;
  std::string activity_;  // guarded by activity_mutex_
};

}  // namespace freshet
