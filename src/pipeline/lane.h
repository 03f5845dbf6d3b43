// The way to one destination: a queue, a router, the transforms, and the thread that writes.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/router.h"
#include "core/spill.h"
#include "freshet/destination.h"
#include "freshet/state_store.h"
#include "pipeline/failure.h"
#include "pipeline/group_builder.h"
#include "pipeline/hold_spool.h"
#include "pipeline/lag.h"
#include "pipeline/lane_queue.h"
#include "pipeline/skipped_commit.h"
#include "pipeline/stats.h"
#include "pipeline/table_plan.h"
#include "pipeline/wake.h"
#include "source/table_watch.h"
#include "types/sort_key.h"

namespace freshet {

/// What lanes share. All of it outlives them.
struct LaneSurroundings {
  TablePlans& plans;
  SchemaResolver& resolver;
  SpillStore& spill;  ///< For this lane alone.
  StateStore& state;
  const Lease& lease;
  Wake& reader_wake;  ///< Told when positions move or the queue has room again.
  Failure& failure;
  std::mutex& router_mutex;  ///< Guards the routers of all lanes: a copy begins in all at once.
  SkippedCommit& skipped;
  std::atomic<bool>& is_urgent;  ///< Somebody waits for a position: commit empty groups at once.
};

/// `settled_at`: the source's insert LSN after the last range was read.
struct FinishedCopy {
  TableName table;
  Lsn settled_at = kNoLsn;
};

/// Natural batching: what came in while a group was being written makes up the next one.
class Lane {
 public:
  struct Options {
    std::string name;
    std::unique_ptr<Destination> destination;
    DestinationState opened;     ///< What open() returned, with a position.
    std::set<TableName> patchy;  ///< The destination lacks rows of these that updates come for.
    Lsn reread_upto = kNoLsn;    ///< What an earlier session read again was read before.
    /// The destination has an answer of its own to a missing row.
    bool has_conflict_policy = false;
    std::size_t queue_bytes_max = std::size_t{32} << 20;
    std::size_t hold_bytes_max = std::size_t{32} << 20;
  };

  Lane(Options options, LaneSurroundings surroundings);
  ~Lane();

  // Before start(), by the session.
  Destination& destination() { return *destination_; }

  Router& router() { return router_; }  ///< Under router_mutex once started.

  const Router& router() const { return router_; }

  /// What the destination's table looks like now.
  void set_current(const SchemaPtr& output);
  /// What the stream's last announcement of the table was taken for, with all its columns; null
  /// where that is not known. From any thread.
  SchemaPtr followed(const TableName& table) const;
  /// Which changes of its definition the destination's table lacks.
  void set_ignored(const TableName& table, std::string changes);
  void start();

  // Reader's thread.
  void push(std::span<const LaneItem> items) { queue_.push(items); }

  bool is_full() const { return queue_.is_full(); }

  // Any thread.
  const std::string& name() const { return name_; }

  Position written() const { return Position{Lsn{written_.load(std::memory_order_acquire)}}; }

  Position durable() const { return Position{Lsn{durable_.load(std::memory_order_acquire)}}; }

  bool is_idle() const { return queue_.is_empty() && !is_working_.load(std::memory_order_acquire); }

  /// Empties the tables at the destination, ready for a copy of rows of `shapes`.
  Status prepare_copy(std::span<const ShapePtr> shapes);
  /// False if the destination's table, and what was copied of it, is of another shape.
  Result<bool> has_shape(const Shape& shape);
  /// All ranges of these tables are committed at the destination: catch up, then stream.
  Status finish_copy(std::span<const FinishedCopy> copies);
  /// Empties the table and has it copied again, unless that is about to happen anyway, or the lane
  /// has come to what answers the reason as well.
  Status begin_copy_again(const TableName& table,
                          std::string_view reason,
                          const source::FollowedState& answer);

  /// Runs `work` between groups; nothing is routed meanwhile.
  Status halt(std::function<Status()> work) { return queue_.call(std::move(work)); }

  /// The copy is void: holds nothing of it any more, here or at the destination.
  Status restart_copy(const TableName& table);
  /// The chunk is committed at the destination: applies what waited for it and records it, in one
  /// commit. False if it does not count, as the copy began again meanwhile.
  Result<bool> finish_chunk(ChunkId id, CopiedChunk chunk);
  /// The chunk could not be read: it is unread again.
  Status drop_chunk(const TableName& table, ChunkId id);
  void count_copied(const TableName& table, std::uint64_t rows, std::uint64_t bytes);

  /// Held while a range is written, where the destination takes one at a time.
  std::mutex& copy_mutex() { return copy_mutex_; }

  void set_estimate(const TableName& table, std::uint64_t rows);
  void add_stats(PipelineStats& stats) const;

  /// Finishes the group in hand, makes it durable, closes the destination and joins the thread.
  void close();

 private:
  using Clock = std::chrono::steady_clock;

  /// Where the primary key is in rows of one streamed schema.
  struct ChunkKeys {
    ShapePtr shape;
    SortKeyCodec codec;
    std::vector<std::uint16_t> places;
  };

  /// What becomes of one change: of the row that was, and of the row that is.
  struct Fate {
    KeyVerdict before;
    KeyVerdict after;
  };

  /// A change that lacks values, as do others of its row.
  struct Lacking {
    std::size_t change = 0;  ///< Its place.
    RowView row;             ///< As it is after the change, with its key.
    RowView left;            ///< The key that it had before, if another.
  };

  struct Counters {
    std::uint64_t rows_copied = 0;
    std::uint64_t bytes_copied = 0;
    std::uint64_t rows_estimated = 0;
    std::uint64_t changes_applied = 0;
    ConflictCounts conflicts;
  };

  Status run();
  Status answer(std::span<LaneCall> calls);
  Status call(std::function<Status()> work, bool ends_lane = false);
  Result<SchemaPtr> make_room(const Shape& shape);
  Status consume(const LaneItem& item);
  Status consume_transaction(const Transaction& transaction);
  Status route_item(Item& item,
                    const TransactionInfo& transaction,
                    std::map<const TableSchema*, Verdict>& verdicts);
  Status route_truncate(const Item& item,
                        const TransactionInfo& transaction,
                        std::map<const TableSchema*, Verdict>& verdicts);
  Status route_definition(const Item& item,
                          const TransactionInfo& transaction,
                          std::map<const TableSchema*, Verdict>& verdicts);
  void tell_new_name(const Item& item) const;
  Result<Verdict> verdict_of(const SchemaPtr& schema,
                             std::map<const TableSchema*, Verdict>& verdicts);
  Status check_unknown(const TableSchema& schema) const;
  // Of tables that are copied in chunks (lane_chunks.cc).
  Status route_by_key(Item& item);
  Result<const ChunkKeys*> keys_of(const SchemaPtr& streamed);
  Result<bool> judge_keys(const Item& item, const ChunkKeys& keys);
  /// False if the table's copy began again instead.
  Result<bool> route_fate(const SchemaPtr& schema, std::span<Change> changes, KeyVerdict fate);
  Result<bool> route_move(const Shape& shape,
                          const SchemaPtr& schema,
                          const Change& change,
                          const Fate& fate);
  Status begin_chunks_again(const TableName& table, bool is_kept_whole = false);
  /// False if the table's copy began again instead.
  Result<bool> apply_rows(const SchemaPtr& streamed, std::span<Change> changes);
  Status filter_rows(const Shape& shape, const TablePlan& plan, std::span<Change>& changes);
  // Values that were not sent (lane_values.cc).
  bool is_patchy(const TableName& table) const;
  bool may_lack_values(const TablePlan& plan) const;
  std::size_t count_at_once(const TablePlan& plan, std::span<const Change> changes) const;
  /// False if the table's copy began again instead.
  Result<bool> complete_rows(const Shape& shape, const TablePlan& plan, std::span<Change>& changes);
  Result<std::vector<Lacking>> find_lacking(const Shape& shape,
                                            const TablePlan& plan,
                                            std::span<const Change> changes);
  Status ask(const Shape& shape,
             std::span<const std::uint16_t> key,
             std::span<const std::uint16_t> there,
             std::span<Lacking> asked,
             std::vector<Lacking>& lacking);
  Result<bool> fill_in(const Shape& shape,
                       const TablePlan& plan,
                       std::span<const Lacking> lacking,
                       std::span<Change>& changes);
  void look_up_ahead(std::span<const LaneItem> items);
  bool is_streaming(const TableName& table) const;
  /// Null if the table's copy began again instead.
  Result<ShapePtr> follow_schema(const SchemaPtr& streamed);
  Result<ShapePtr> shape_of(const SchemaPtr& streamed);
  bool takes_in_column(const Shape& shape) const;
  std::string_view cannot_evolve(const TableSchema& streamed, const Shape& shape) const;
  void set_followed(const SchemaPtr& output, const SchemaPtr& input);
  Error stop_before(Error error);
  Status ignore_changes(const TablePlan& plan, const Shape& shape);
  Status store_streaming(const TableName& table);
  Status store_schema(const TableSchema& schema);
  Status store_followed();
  Status copy_again(const TableName& table, std::string_view reason);
  Status evolve(const TableName& name, const SchemaPtr& to);
  Status flush_complete();
  Status flush_part();
  Status write(bool is_complete, Durability durability);
  Status write_barrier();
  void note_committed();
  void account(const Group& group);
  Status catch_up();
  Status drain(std::span<const TableName> tables);
  Status set_streaming(std::span<const TableName> tables);
  Result<bool> add_held(HoldSpool& spool);
  Status settle();
  Status store_progress(bool is_forced);
  void set_durable(Position position);
  std::chrono::milliseconds wait_max() const;
  std::chrono::milliseconds store_interval() const;
  HoldSpool& spool_of(const TableName& table);
  void forget_held(const TableName& table);
  Status add_objects(std::span<const SchemaPtr> copied);

  const std::string name_;
  std::unique_ptr<Destination> destination_;
  const Traits traits_;
  LaneSurroundings around_;
  Router router_;  // guarded by around_.router_mutex
  LaneQueue queue_;

  // The lane's thread alone:
  GroupBuilder group_;
  Position position_;              // of the last complete group
  Position upto_;                  // of the last transaction in the group in hand
  bool is_in_parts_ = false;       // a part of a transaction has been written, its end not
  std::size_t runs_complete_ = 0;  // runs of the group that belong to whole transactions
  std::vector<SourceTime> commit_times_;
  std::map<TableName, SchemaPtr> current_;
  mutable std::mutex followed_mutex_;        // guards the one below; only this lane writes it
  std::map<TableName, SchemaPtr> followed_;  // what the current ones were made of; null: not known
  std::map<SchemaPtr, ShapePtr> shapes_;     // null: captured, and not true
  std::set<SchemaPtr> looked_up_;            // ahead of their rows, or left for their own turn
  SchemaPtr last_looked_up_;
  std::vector<SchemaPtr> evolved_;                                // since the last commit
  std::map<TableName, std::pair<SchemaPtr, Position>> unstored_;  // committed by then
  std::map<TableName, std::string> ignored_;  // what the destination's tables lack, for people
  HoldStore hold_store_;
  std::map<TableName, std::unique_ptr<HoldSpool>> spools_;
  std::map<std::pair<TableName, ChunkId>, std::unique_ptr<HoldSpool>> chunk_spools_;
  std::map<SchemaPtr, ChunkKeys> chunk_keys_;
  std::vector<Fate> fates_;  // of the item in hand
  Committed in_hand_;        // what is being routed, or the first of what was held
  const std::set<TableName> patchy_;
  const bool has_conflict_policy_;
  std::map<TableName, std::set<std::string>> gone_;  // keys that rows of the group in hand leave
  Lsn reread_upto_;  // what has been read again may be newer than the stream, but not than this
  bool are_verdicts_stale_ = false;  // a table's copy began again within the transaction in hand
  Clock::time_point last_empty_write_{};
  Clock::time_point last_write_{};
  Clock::time_point last_store_{};
  Position stored_;
  Position destination_durable_;

  std::atomic<std::uint64_t> written_{0};
  std::atomic<std::uint64_t> durable_{0};
  std::atomic<bool> is_working_{false};
  LagMeter lag_;
  std::mutex copy_mutex_;
  mutable std::mutex stats_mutex_;  // guards the counters
  std::map<TableName, Counters> counters_;
  DestinationStats totals_;
  std::thread thread_;
};

}  // namespace freshet
