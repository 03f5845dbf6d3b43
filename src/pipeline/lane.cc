#include "pipeline/lane.h"

#include <algorithm>
#include <utility>

#include <pthread.h>

#include "base/log.h"
#include "base/try.h"
#include "types/table_error.h"

namespace freshet {
namespace {

// An idle position is no news to anybody: one empty commit in so long a time is enough.
constexpr std::chrono::seconds kEmptyWriteInterval{1};
// So long after the last write a commit that waits for the disk proves that all is durable.
constexpr std::chrono::milliseconds kSettleAfter{100};
// A position in the state store costs a sync of its own.
constexpr std::chrono::milliseconds kStoreInterval{1000};
constexpr std::chrono::milliseconds kUrgentStoreInterval{50};
constexpr std::chrono::milliseconds kIdleWait{500};
constexpr std::chrono::seconds kCloseTimeout{10};

}  // namespace

Lane::Lane(Options options, LaneSurroundings surroundings)
    : name_(std::move(options.name)),
      destination_(std::move(options.destination)),
      traits_(destination_->traits()),
      around_(surroundings),
      router_(options.opened.position.value_or(Position{})),
      queue_(options.queue_bytes_max),
      position_(options.opened.position.value_or(Position{})),
      upto_(position_),
      hold_store_(around_.spill, options.hold_bytes_max),
      patchy_(std::move(options.patchy)),
      has_conflict_policy_(options.has_conflict_policy),
      reread_upto_(options.reread_upto),
      stored_(position_),
      destination_durable_(position_) {
  written_ = to_integer(position_.end);
  durable_ = to_integer(position_.end);
  totals_.name = name_;
}

Lane::~Lane() {
  queue_.close();
  if (thread_.joinable()) thread_.join();
}

void Lane::set_current(const SchemaPtr& output) {
  const TablePlan& plan = around_.plans.at(output->name);
  const bool is_whole = !plan.kept && !plan.publication.filters_columns;
  set_followed(output, is_whole ? output : nullptr);
}

void Lane::set_followed(const SchemaPtr& output, const SchemaPtr& input) {
  current_[output->name] = output;
  const std::lock_guard lock(followed_mutex_);
  followed_[output->name] = input;
}

SchemaPtr Lane::followed(const TableName& table) const {
  const std::lock_guard lock(followed_mutex_);
  const auto found = followed_.find(table);
  return found == followed_.end() ? nullptr : found->second;
}

void Lane::set_ignored(const TableName& table, std::string changes) {
  ignored_[table] = std::move(changes);
}

void Lane::start() {
  thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), ("lane " + name_).substr(0, 15).c_str());
    if (Status status = run(); !status.ok()) {
      Error error = std::move(status).error();
      error.add("destination", name_);
      around_.failure.report(std::move(error));
      queue_.close();
    }
    around_.reader_wake.notify();
  });
}

Status Lane::run() {
  LaneQueue::Taken taken;
  while (true) {
    is_working_.store(false, std::memory_order_release);
    queue_.take(taken, traits_.group_bytes_max, wait_max());
    is_working_.store(true, std::memory_order_release);
    FRESHET_TRY(answer(taken.calls));
    if (taken.is_closed) break;
    look_up_ahead(taken.items);
    for (const LaneItem& item : taken.items)
      FRESHET_TRY(consume(item));
    FRESHET_TRY(flush_complete());
    FRESHET_TRY(catch_up());
    FRESHET_TRY(settle());
  }
  FRESHET_TRY(write_barrier());
  return store_progress(true);
}

Status Lane::answer(std::span<LaneCall> calls) {
  Status ended = ok_status();
  for (LaneCall& call : calls) {
    if (!ended.ok()) {
      call.done.set_value(Error{ErrorKind::cancelled, "the lane has stopped"});
      continue;
    }
    Status done = call.work();
    if (!done.ok() && call.ends_lane) ended = done;
    call.done.set_value(std::move(done));
  }
  return ended;
}

// Whoever called reports what the destination refused, and has to say which one did.
Status Lane::call(std::function<Status()> work, bool ends_lane) {
  Status done = queue_.call(std::move(work), ends_lane);
  if (done.ok() || !done.error().find("destination").empty()) return done;
  return std::move(done).error().with("destination", name_);
}

std::chrono::milliseconds Lane::wait_max() const {
  const bool is_waited_for = around_.is_urgent.load(std::memory_order_relaxed);
  if (upto_ > position_) return is_waited_for ? std::chrono::milliseconds(1) : kSettleAfter;
  if (durable() < position_) return std::min(kSettleAfter, store_interval());
  return kIdleWait;
}

std::chrono::milliseconds Lane::store_interval() const {
  const bool is_waited_for = around_.is_urgent.load(std::memory_order_relaxed);
  return is_waited_for && !traits_.keeps_position ? kUrgentStoreInterval : kStoreInterval;
}

Status Lane::consume(const LaneItem& item) {
  if (!item.transaction) {
    upto_ = std::max(upto_, item.idle);
    return ok_status();
  }
  // Exactly what the destination has must be skipped: it says so itself, by its position.
  if (item.transaction->info().end_lsn <= position_.end) return ok_status();
  if (item.transaction->is_empty()) {
    upto_ = std::max(upto_, Position{item.transaction->info().end_lsn});
    return ok_status();
  }
  if (around_.skipped.leaves_out(item.transaction->info())) {
    log_warn("a transaction is left out, as --skip-lsn asks; the destination lacks it",
             {{"destination", name_},
              {"commit_lsn", to_string(item.transaction->info().commit_lsn)},
              {"xid", to_integer(item.transaction->info().xid)}});
    upto_ = Position{item.transaction->info().end_lsn};
    return ok_status();
  }
  const bool is_large =
      group_.byte_size() + item.transaction->byte_size() > traits_.group_bytes_max;
  if (is_large) FRESHET_TRY(flush_complete());
  return consume_transaction(*item.transaction);
}

Status Lane::consume_transaction(const Transaction& transaction) {
  TransactionReader reader = transaction.read();
  in_hand_ = committed_of(transaction.info());
  std::map<const TableSchema*, Verdict> verdicts;
  while (true) {
    Piece piece = group_.take_spare();
    FRESHET_TRY(const bool has_more, reader.next(piece));
    if (!has_more) {
      group_.give_back(std::move(piece));
      break;
    }
    for (Item& item : piece.items())
      FRESHET_TRY(route_item(item, transaction.info(), verdicts));
    // Only now: following a changed definition writes and clears the group in between.
    group_.keep(std::move(piece));
    if (group_.byte_size() > traits_.group_bytes_max) FRESHET_TRY(flush_part());
  }
  upto_ = Position{transaction.info().end_lsn};
  runs_complete_ = group_.runs().size();
  commit_times_.push_back(transaction.info().committed_at);
  if (is_in_parts_) FRESHET_TRY(flush_complete());
  return ok_status();
}

Result<Verdict> Lane::verdict_of(const SchemaPtr& schema,
                                 std::map<const TableSchema*, Verdict>& verdicts) {
  if (std::exchange(are_verdicts_stale_, false)) verdicts.clear();
  const auto known = verdicts.find(schema.get());
  if (known != verdicts.end()) return known->second;
  std::optional<Verdict> verdict;
  {
    const std::lock_guard lock(around_.router_mutex);
    if (router_.knows(schema->name)) verdict = router_.judge(schema->name, in_hand_);
  }
  if (!verdict) FRESHET_TRY(check_unknown(*schema));
  return verdicts.emplace(schema.get(), verdict.value_or(Verdict::skip)).first->second;
}

Status Lane::route_item(Item& item,
                        const TransactionInfo& transaction,
                        std::map<const TableSchema*, Verdict>& verdicts) {
  if (item.kind == Item::Kind::message) return ok_status();
  if (item.kind == Item::Kind::definition) return route_definition(item, transaction, verdicts);
  if (item.kind == Item::Kind::truncate) return route_truncate(item, transaction, verdicts);
  FRESHET_TRY(const Verdict verdict, verdict_of(item.schema, verdicts));
  switch (verdict) {
    case Verdict::apply: {
      auto applied = apply_rows(item.schema, item.changes);
      return applied.ok() ? ok_status() : Status{std::move(applied).error()};
    }
    case Verdict::hold:
      return spool_of(item.schema->name).append(item.schema, item.changes);
    case Verdict::by_key:
      return route_by_key(item);
    case Verdict::skip:
      return ok_status();
  }
  return ok_status();
}

Status Lane::route_truncate(const Item& item,
                            const TransactionInfo& transaction,
                            std::map<const TableSchema*, Verdict>& verdicts) {
  std::vector<SchemaPtr> tables;
  for (const SchemaPtr& schema : item.truncated) {
    FRESHET_TRY(const Verdict verdict, verdict_of(schema, verdicts));
    switch (verdict) {
      case Verdict::apply: {
        FRESHET_TRY(const ShapePtr shape, follow_schema(schema));
        if (shape) tables.push_back(shape->output);
        break;
      }
      case Verdict::hold:
        FRESHET_TRY(
            spool_of(schema->name).append_truncate(schema, item.restarts_identity, transaction));
        break;
      case Verdict::by_key:
        FRESHET_TRY(begin_chunks_again(schema->name));
        break;
      case Verdict::skip:
        break;
    }
  }
  if (!tables.empty())
    group_.add_truncate(std::move(tables), item.is_cascade, item.restarts_identity);
  return ok_status();
}

Result<bool> Lane::apply_rows(const SchemaPtr& streamed, std::span<Change> changes) {
  FRESHET_TRY(const ShapePtr shape, follow_schema(streamed));
  if (!shape) return false;
  const TablePlan& plan = around_.plans.at(streamed->name);
  while (true) {
    std::span<Change> some = changes.first(count_at_once(plan, changes));
    changes = changes.subspan(some.size());
    if (plan.publication.filters_rows) FRESHET_TRY(filter_rows(*shape, plan, some));
    FRESHET_TRY(const bool is_whole, complete_rows(*shape, plan, some));
    if (!is_whole) return false;
    group_.add_rows(shape, some);
    if (changes.empty()) return true;
    if (group_.byte_size() > traits_.group_bytes_max) FRESHET_TRY(flush_part());
  }
}

// The table is emptied, and that is recorded, before the stream's position can move past the
// transaction in hand; the copier then finds it pending.
Status Lane::copy_again(const TableName& table, std::string_view reason) {
  {
    const std::lock_guard lock(around_.router_mutex);
    router_.restart_copy(table);
  }
  are_verdicts_stale_ = true;
  log_info("copying the table again",
           {{"destination", name_}, {"table", to_string(table)}, {"reason", reason}});
  forget_held(table);
  // What of it is in the group was meant for the rows that go now.
  const bool is_between_transactions = !is_in_parts_ && runs_complete_ == group_.runs().size();
  FRESHET_TRY(is_between_transactions ? flush_complete() : flush_part());
  FRESHET_TRY(around_.state.store_table(
      around_.lease,
      {.destination = name_, .table = table, .phase = TablePhase::pending, .reason = {}}));
  return naming(destination_->reset_table(current_.at(table)), table);
}

Status Lane::flush_complete() {
  if (group_.is_empty() && !is_in_parts_) {
    // Nothing but progress: worth a commit only now and then, or when somebody waits for it. A
    // definition that was followed goes with the position after it.
    if (upto_ <= position_) return ok_status();
    const bool is_due = around_.is_urgent.load(std::memory_order_relaxed) || !evolved_.empty() ||
                        Clock::now() - last_empty_write_ >= kEmptyWriteInterval;
    if (!is_due) return ok_status();
    last_empty_write_ = Clock::now();
  }
  return write(true, Durability::may_defer);
}

Status Lane::flush_part() {
  if (group_.is_empty()) {
    group_.clear();
    return ok_status();
  }
  return write(false, Durability::may_defer);
}

Status Lane::write(bool is_complete, Durability durability) {
  FRESHET_TRY(group_.transform());
  const Group group{.runs = group_.runs(),
                    .phases = group_.phases(),
                    .chunks = group_.chunks(),
                    .upto = upto_,
                    .committed_at = commit_times_.empty() ? SourceTime{0} : commit_times_.back(),
                    .is_complete = is_complete};
  FRESHET_TRY(const Position durable, destination_->write(group, durability));
  destination_durable_ = std::max(destination_durable_, durable);
  is_in_parts_ = !is_complete;
  account(group);
  group_.clear();
  gone_.clear();
  runs_complete_ = 0;
  if (!is_complete) return ok_status();
  position_ = upto_;
  note_committed();
  last_write_ = Clock::now();
  written_.store(to_integer(position_.end), std::memory_order_release);
  if (traits_.keeps_position) set_durable(destination_durable_);
  return ok_status();
}

void Lane::account(const Group& group) {
  const auto now = LagMeter::Clock::now();
  if (group.is_complete) {
    lag_.add(commit_times_, now);
  }
  const std::vector<TableConflicts> conflicts = destination_->take_conflicts();
  const std::lock_guard lock(stats_mutex_);
  for (const TableConflicts& table : conflicts) {
    counters_[table.name].conflicts += table.counts;
    totals_.conflicts += table.counts;
  }
  for (const Run& run : group.runs) {
    if (run.schema) counters_[run.schema->name].changes_applied += run.changes.size();
    totals_.changes_applied += run.changes.size();
  }
  if (group.is_complete) {
    totals_.transactions_applied += commit_times_.size();
    ++totals_.groups_written;
    commit_times_.clear();
  }
}

void Lane::set_durable(Position position) {
  if (position <= durable()) return;
  durable_.store(to_integer(position.end), std::memory_order_release);
  around_.reader_wake.notify();
  around_.failure.notify();
}

// A destination that does not wait for the disk is asked for a proof once it has nothing to do.
Status Lane::settle() {
  if (destination_durable_ < position_ && queue_.is_empty() &&
      Clock::now() - last_write_ >= kSettleAfter) {
    FRESHET_TRY(write_barrier());
  }
  return store_progress(false);
}

Status Lane::write_barrier() {
  FRESHET_TRY(const Position durable,
              destination_->write(Group{.runs = {}, .phases = {}, .upto = position_},
                                  Durability::required));
  destination_durable_ = std::max(destination_durable_, durable);
  note_committed();
  return ok_status();
}

// A commit takes with it what was made of changed definitions before.
void Lane::note_committed() {
  for (SchemaPtr& schema : std::exchange(evolved_, {})) {
    const TableName table = schema->name;
    unstored_.insert_or_assign(table, std::pair{std::move(schema), position_});
  }
}

// Where the destination keeps no position, the state store's is the one that counts.
Status Lane::store_progress(bool is_forced) {
  const Position durable = destination_durable_;
  const bool is_due = is_forced || Clock::now() - last_store_ >= store_interval();
  if (durable > stored_ && is_due) {
    FRESHET_TRY(
        around_.state.store_position(around_.lease, {.destination = name_, .position = durable}));
    stored_ = durable;
    last_store_ = Clock::now();
  }
  set_durable(traits_.keeps_position ? durable : stored_);
  return store_followed();
}

// Not before it is durable: a session that begins from a definition does not follow it any more.
// One that begins from the definition before follows the change a second time.
Status Lane::store_followed() {
  for (auto next = unstored_.begin(); next != unstored_.end();) {
    const auto& [schema, upto] = next->second;
    if (upto > durable()) {
      ++next;
      continue;
    }
    FRESHET_TRY(store_schema(*schema));
    next = unstored_.erase(next);
  }
  return ok_status();
}

void Lane::close() {
  queue_.close();
  if (thread_.joinable()) thread_.join();
  if (const Status status = destination_->close(Clock::now() + kCloseTimeout); !status.ok()) {
    log_error(LogLevel::warn, "destination did not close cleanly", status.error());
  }
}

}  // namespace freshet
