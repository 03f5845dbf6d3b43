// The lane's part in an initial copy: getting ready, holding what streams meanwhile, catching up.
#include <set>

#include "base/log.h"
#include "base/try.h"
#include "pipeline/lane.h"
#include "pipeline/schema_policy.h"
#include "types/table_error.h"

namespace freshet {

HoldSpool& Lane::spool_of(const TableName& table) {
  auto& spool = spools_[table];
  if (!spool) spool = std::make_unique<HoldSpool>(hold_store_);
  return *spool;
}

Status Lane::prepare_copy(std::span<const ShapePtr> shapes) {
  return call([&]() -> Status {
    std::vector<SchemaPtr> made;
    for (const ShapePtr& shape : shapes) {
      FRESHET_TRY(made.emplace_back(), make_room(*shape));
    }
    FRESHET_TRY(destination_->prepare_tables(made));
    std::set<TableName> tables;
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      const TableName& table = made[i]->name;
      FRESHET_TRY(naming(destination_->reset_table(made[i]), table));
      set_followed(shapes[i]->output, shapes[i]->input);
      // What the table was followed to before it was emptied is behind this.
      std::erase_if(evolved_, [&](const SchemaPtr& older) { return older->name == table; });
      unstored_.erase(table);
      FRESHET_TRY(store_schema(*made[i]));
      FRESHET_TRY(around_.state.store_table(
          around_.lease,
          {.destination = name_, .table = table, .phase = TablePhase::copying, .reason = {}}));
      tables.insert(table);
    }
    // What the stream announced of them, captured or not, is looked up anew, with the copy's
    // columns as those before.
    std::erase_if(shapes_, [&](const auto& entry) { return tables.contains(entry.first->name); });
    return ok_status();
  });
}

// What the lane has of an earlier copy, and of an earlier shape of the table, goes. Returns what
// the table is to look like.
Result<SchemaPtr> Lane::make_room(const Shape& shape) {
  const SchemaPtr& output = shape.output;
  const SchemaPtr& kept = around_.plans.at(output->name).kept;
  const SchemaPtr made = kept ? keep_as_of(*kept, *output) : output;
  ignored_[output->name] = kept ? describe_ignored(*kept, *shape.input) : std::string{};
  {
    const std::lock_guard lock(around_.router_mutex);
    // What a void copy held is in the next snapshot. (A copy under the slot's snapshot is under
    // way from the start: what it holds counts.)
    if (router_.phase(output->name) == TablePhase::pending) forget_held(output->name);
  }
  const SchemaPtr previous = current_[output->name];
  if (!previous || is_same_shape(*previous, *made)) return made;
  // Emptied first: what stands there is copied anew, and an empty table fits any change.
  FRESHET_TRY(naming(destination_->reset_table(previous), output->name));
  FRESHET_TRY(naming(destination_->evolve(previous, made), output->name));
  return made;
}

Result<bool> Lane::has_shape(const Shape& shape) {
  bool is_same = false;
  FRESHET_TRY(call([&]() -> Status {
    const SchemaPtr& current = current_[shape.output->name];
    is_same = current && is_same_shape(*current, *shape.output);
    return ok_status();
  }));
  return is_same;
}

Status Lane::finish_copy(std::span<const FinishedCopy> copies) {
  const auto finish = [&]() -> Status {
    // A reconnect may make a copy void at any time.
    const auto is_void = [&](const FinishedCopy& copy) {
      return router_.phase(copy.table) != TablePhase::copying;
    };
    std::vector<SchemaPtr> copied;
    {
      const std::lock_guard lock(around_.router_mutex);
      for (const FinishedCopy& copy : copies) {
        if (!is_void(copy)) copied.push_back(current_.at(copy.table));
      }
    }
    for (const SchemaPtr& table : copied)
      FRESHET_TRY(destination_->finish_copy(table));
    if (traits_.takes_objects) FRESHET_TRY(add_objects(copied));
    const std::lock_guard lock(around_.router_mutex);
    for (const FinishedCopy& copy : copies) {
      if (!is_void(copy)) router_.finish_copy(copy.table, copy.settled_at);
    }
    return ok_status();
  };
  // Nobody would finish it another time.
  return call(finish, true);
}

Status Lane::begin_copy_again(const TableName& table,
                              std::string_view reason,
                              const source::FollowedState& answer) {
  const auto begin = [&]() -> Status {
    const SchemaPtr& current = current_[table];
    if (!current || source::has_come_to(answer, *current)) return ok_status();
    {
      const std::lock_guard lock(around_.router_mutex);
      if (router_.phase(table) == TablePhase::pending) return ok_status();
    }
    return copy_again(table, reason);
  };
  return call(begin, true);
}

Status Lane::restart_copy(const TableName& table) {
  return call([&]() -> Status {
    bool is_kept = false;
    {
      const std::lock_guard lock(around_.router_mutex);
      is_kept = router_.is_chunked(table);
      router_.restart_copy(table);
      forget_held(table);
    }
    // A later session would go on with its chunks.
    return is_kept ? naming(destination_->reset_table(current_.at(table)), table) : ok_status();
  });
}

// Of a copy that is void.
void Lane::forget_held(const TableName& table) {
  spools_.erase(table);
  std::erase_if(chunk_spools_, [&](const auto& entry) { return entry.first.first == table; });
  std::erase_if(chunk_keys_, [&](const auto& entry) { return entry.first->name == table; });
  const std::lock_guard lock(stats_mutex_);
  counters_[table].rows_copied = 0;
  counters_[table].bytes_copied = 0;
}

Status Lane::catch_up() {
  if (is_in_parts_) return ok_status();
  std::vector<TableName> ready;
  {
    const std::lock_guard lock(around_.router_mutex);
    for (TableName& table : router_.tables_in(TablePhase::catching_up)) {
      if (router_.may_catch_up(table, position_)) ready.push_back(std::move(table));
    }
  }
  return ready.empty() ? ok_status() : drain(ready);
}

// Applies what the tables' spools hold. The last of each and its new phase share one commit, so
// that a reader of the destination sees the table either behind, and said to be so, or in step.
Status Lane::drain(std::span<const TableName> tables) {
  FRESHET_TRY(flush_complete());
  std::vector<TableName> drained;
  for (const TableName& table : tables) {
    const auto spool = spools_.find(table);
    if (spool != spools_.end()) {
      FRESHET_TRY(const bool is_added, add_held(*spool->second));
      if (!is_added) continue;
    }
    group_.add_phase(table, TablePhase::streaming);
    drained.push_back(table);
    if (group_.byte_size() < traits_.group_bytes_max / 2) continue;
    FRESHET_TRY(set_streaming(drained));
    drained.clear();
  }
  return set_streaming(drained);
}

Status Lane::set_streaming(std::span<const TableName> tables) {
  FRESHET_TRY(flush_complete());
  for (const TableName& table : tables) {
    spools_.erase(table);
    {
      const std::lock_guard lock(around_.router_mutex);
      router_.set_streaming(table);
    }
    log_info(
        "table is streaming",
        {{"destination", name_}, {"table", to_string(table)}, {"lsn", to_string(position_.end)}});
    FRESHET_TRY(store_streaming(table));
  }
  around_.failure.notify();
  return ok_status();
}

// Adds what the spool holds to the group, whose last part is left for the caller to flush. False if
// the table's copy began again: the spool is gone then.
Result<bool> Lane::add_held(HoldSpool& spool) {
  while (true) {
    auto piece = std::make_unique<HeldPiece>();
    FRESHET_TRY(const bool has_more, spool.next(*piece));
    if (!has_more) break;
    for (HeldItem& item : piece->items) {
      in_hand_ = committed_of(*item.transaction);
      if (item.is_truncate) {
        FRESHET_TRY(const ShapePtr shape, follow_schema(item.schema));
        if (!shape) return false;
        group_.add_truncate({shape->output}, false, item.restarts_identity);
      } else if (item.is_definition) {
        FRESHET_TRY(const ShapePtr shape, follow_schema(item.schema));
        if (!shape) return false;
      } else {
        FRESHET_TRY(const bool is_applied, apply_rows(item.schema, item.changes));
        if (!is_applied) return false;
      }
      const bool is_cut = !piece->is_whole && &item == &piece->items.back();
      if (!is_cut) runs_complete_ = group_.runs().size();
    }
    const bool is_whole = piece->is_whole;
    group_.keep(std::move(piece));
    if (!spool.is_empty()) FRESHET_TRY(is_whole ? flush_complete() : flush_part());
  }
  return true;
}

void Lane::count_copied(const TableName& table, std::uint64_t rows, std::uint64_t bytes) {
  const std::lock_guard lock(stats_mutex_);
  counters_[table].rows_copied += rows;
  counters_[table].bytes_copied += bytes;
}

void Lane::set_estimate(const TableName& table, std::uint64_t rows) {
  const std::lock_guard lock(stats_mutex_);
  counters_[table].rows_estimated = rows;
}

void Lane::add_stats(PipelineStats& stats) const {
  DestinationStats totals;
  {
    const std::lock_guard lock(stats_mutex_);
    totals = totals_;
    for (const auto& [name, counters] : counters_) {
      stats.tables.push_back(TableStats{.destination = name_,
                                        .name = name,
                                        .phase = TablePhase::pending,
                                        .rows_copied = counters.rows_copied,
                                        .rows_estimated = counters.rows_estimated,
                                        .bytes_copied = counters.bytes_copied,
                                        .changes_applied = counters.changes_applied,
                                        .conflicts = counters.conflicts});
    }
  }
  {
    const std::lock_guard lock(around_.router_mutex);
    for (TableStats& table : stats.tables) {
      if (table.destination == name_ && router_.knows(table.name))
        table.phase = router_.phase(table.name);
    }
  }
  totals.written = written();
  totals.durable = durable();
  totals.lag = lag_.stats(LagMeter::Clock::now());
  stats.destinations.push_back(std::move(totals));
}

}  // namespace freshet
