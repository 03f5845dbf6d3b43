// Groups: rows, phases and position in one commit.
#include <algorithm>
#include <optional>

#include "base/log.h"
#include "base/try.h"
#include "destinations/postgres/destination.h"
#include "destinations/postgres/names.h"
#include "destinations/postgres/progress.h"
#include "pg/array_literal.h"
#include "types/table_error.h"

namespace freshet::postgres {
namespace {

// How often a commit waits where synchronous standbys leave no other proof of durability.
constexpr std::chrono::milliseconds kProofInterval{200};

/// What to try after `effort` met `error`. What only the order can mend is tried in stricter ones
/// first; what a row leads to ends with that row alone. Nothing: there is nothing more to try.
std::optional<Effort> stricter(Effort effort, const Error& error) {
  if (effort == Effort::by_row || !is_row_conflict(error)) return {};
  if (!is_order_conflict(error) || effort == Effort::ordered) return Effort::by_row;
  return effort == Effort::copied ? Effort::as_sets : Effort::ordered;
}

}  // namespace

Result<Position> PostgresDestination::write(const Group& group, Durability durability) {
  FRESHET_TRY(check_open());
  const bool is_empty = group.runs.empty() && group.phases.empty() && group.chunks.empty();
  if (epoch_.empty()) return Error{ErrorKind::internal, "no slot was adopted at the destination"};
  if (group.is_complete && !group.runs.empty() && group.upto < position_) {
    return Error{ErrorKind::internal, "a group ends before the position of the destination"};
  }
  const auto since_proof = std::chrono::steady_clock::now() - last_proof_;
  const bool is_proof =
      durability == Durability::required || !group.phases.empty() ||
      (session_->wal_positions().has_synchronous_standbys && since_proof > kProofInterval);
  if (is_empty && !is_proof && !is_in_part_ && group.upto <= position_) {
    // Nothing to write: only ask how far the server's disk has come.
    FRESHET_TRY(session_->begin_pipeline());
    Status asked = session_->send(Fixed::wal_positions, {});
    if (asked.ok()) asked = session_->end_pipeline();
    is_broken_ = !asked.ok();
    FRESHET_TRY(std::move(asked));
    if (!session_->wal_positions().has_synchronous_standbys) {
      durability_.flushed(session_->wal_positions().flush);
    }
    return durability_.durable();
  }
  FRESHET_TRY(give_way_to(group));
  FRESHET_TRY(load_targets(group));
  Status applied = apply(group, is_proof);
  if (!applied.ok()) {
    writer_->clear();
    return std::move(applied).error();
  }
  const Position durable = settle(group, is_proof);
  for (const PhaseChange& change : group.phases)
    may_complete_ |= change.phase == TablePhase::streaming;
  if (may_complete_ && !is_in_part_) FRESHET_TRY(complete_tables());
  return durable;
}

Result<std::vector<bool>> PostgresDestination::find_missing(const SchemaPtr& schema,
                                                            std::span<const RowView> keys) {
  FRESHET_TRY(check_open());
  std::vector<bool> is_missing(keys.size(), true);
  const auto find = [&]() -> Status {
    FRESHET_TRY(const Target* const target, targets_.get(session_->connection(), schema));
    const std::vector<std::string> arrays = pg::key_array_literals(keys, target->key);
    const std::vector<std::optional<std::string_view>> parameters{arrays.begin(), arrays.end()};
    FRESHET_TRY(const pg::Rows found, session_->connection().query(find_sql(*target), parameters));
    for (int row = 0; row < found.rows(); ++row)
      is_missing[found.unsigned_integer(row, 0)] = false;
    return ok_status();
  };
  Status status = find();
  if (status.ok()) return is_missing;
  is_broken_ = is_in_part_ || breaks_session(status.error());
  return naming(std::move(status).error(), schema->name);
}

Status PostgresDestination::load_targets(const Group& group) {
  if (!is_in_part_) targets_.trim();
  const auto load = [&](const SchemaPtr& schema) -> Status {
    auto loaded = targets_.get(session_->connection(), schema);
    if (loaded.ok()) return ok_status();
    is_broken_ = is_in_part_ || breaks_session(loaded.error());
    return std::move(loaded).error();
  };
  for (const Run& run : group.runs) {
    if (run.schema) FRESHET_TRY(load(run.schema));
    for (const SchemaPtr& schema : run.truncated)
      FRESHET_TRY(load(schema));
  }
  if (!is_in_part_) return session_->trim_statements();
  return ok_status();
}

Status PostgresDestination::apply(const Group& group, bool is_proof) {
  group_ = &group;
  Effort effort = quarantine_->concerns(group.runs, targets_) ? Effort::by_row : Effort::copied;
  while (true) {
    Status tried = attempt(group, effort, is_proof);
    if (tried.ok()) return tried;
    if (breaks_session(tried.error())) {
      is_broken_ = true;
      return tried;
    }
    const std::optional<Effort> next = stricter(effort, tried.error());
    if (Status undone = undo(effort); !undone.ok()) {
      is_broken_ = true;
      return next ? undone : tried;
    }
    FRESHET_TRY(const bool may_fit_now, relax(tried.error()));
    if (may_fit_now) continue;
    if (!next) {
      // The parts applied before cannot be brought again by this group's retry.
      is_broken_ = is_in_part_;
      return tried;
    }
    log_debug("a group is applied again in a stricter order",
              {{"destination", config_.name}, {"sqlstate", tried.error().sqlstate()}});
    effort = *next;
  }
}

Status PostgresDestination::attempt(const Group& group, Effort effort, bool is_proof) {
  FRESHET_TRY(session_->begin_pipeline());
  FRESHET_TRY(send_start(group));
  if (releases_) {
    FRESHET_TRY(session_->end_pipeline());
    FRESHET_TRY(release_foreign_keys(group));
    FRESHET_TRY(session_->begin_pipeline());
  }
  if (effort == Effort::by_row) {
    FRESHET_TRY(session_->end_pipeline());
    FRESHET_TRY(row_by_row_->write(group.runs));
    FRESHET_TRY(session_->begin_pipeline());
  } else {
    FRESHET_TRY(writer_->write(group.runs, effort));
  }
  FRESHET_TRY(send_chunks(group));
  FRESHET_TRY(send_phases(group));
  if (group.is_complete) FRESHET_TRY(send_end(group, is_proof));
  return session_->end_pipeline();
}

// The compare-and-set comes first: a writer that was taken over is refused before it does any work,
// and its row's lock keeps the next one waiting until this transaction has ended. A transaction
// that comes in parts only takes the lock here; its position is known with the last part.
Status PostgresDestination::send_start(const Group& group) {
  if (is_in_part_) return session_->send("SAVEPOINT freshet_part");
  FRESHET_TRY(session_->send("BEGIN"));
  if (!group.is_complete) return send_advance(position_, SourceTime{0});
  return send_advance(std::max(group.upto, position_), group.committed_at);
}

Status PostgresDestination::send_end(const Group& group, bool is_proof) {
  const Position upto = std::max(group.upto, position_);
  if (is_in_part_) FRESHET_TRY(send_advance(upto, group.committed_at));
  touched_.merge(writer_->take_touched());
  if (!touched_.empty()) FRESHET_TRY(send_notify(upto));
  if (is_proof) FRESHET_TRY(session_->send("SET LOCAL synchronous_commit = on"));
  Session::Purpose commit;
  commit.is_commit = true;
  FRESHET_TRY(session_->send("COMMIT", commit));
  return session_->send(Fixed::wal_positions, {});
}

Status PostgresDestination::send_advance(Position to, SourceTime committed_at) {
  text_.clear();
  text_.add(lease_.pipeline);
  text_.add(epoch_);
  text_.add(std::to_string(fence_));
  text_.add(to_string(position_.end));
  text_.add(to_string(to.end));
  text_.add(std::to_string(to_integer(committed_at)));
  return session_->send(Fixed::advance, text_.parameters());
}

Status PostgresDestination::send_phases(const Group& group) {
  for (std::size_t start = 0; start < group.phases.size();) {
    const TablePhase phase = group.phases[start].phase;
    std::vector<TableName> tables;
    for (; start < group.phases.size() && group.phases[start].phase == phase; ++start)
      tables.push_back(group.phases[start].name);
    const pg::TableNameArrays names = pg::array_literals(tables);
    text_.clear();
    text_.add(lease_.pipeline);
    text_.add(names.schemas);
    text_.add(names.tables);
    text_.add(to_string(phase));
    FRESHET_TRY(session_->send(Fixed::record_table, text_.parameters()));
  }
  return ok_status();
}

Status PostgresDestination::send_chunks(const Group& group) {
  for (const CopiedChunk& chunk : group.chunks) {
    text_.clear();
    text_.add(lease_.pipeline);
    text_.add(chunk.table.schema);
    text_.add(chunk.table.table);
    text_.add(copy_line(chunk.bounds.columns));
    text_.add(copy_line(chunk.bounds.from));
    text_.add(copy_line(chunk.bounds.to));
    text_.add(chunk.snapshot);
    text_.add(to_string(chunk.read_upto));
    text_.add(std::to_string(chunk.relfilenode));
    text_.add(chunk.condition);
    FRESHET_TRY(session_->send(Fixed::record_chunk, text_.parameters()));
  }
  return ok_status();
}

Status PostgresDestination::send_notify(Position upto) {
  ValueArray tables;
  for (const std::string& table : touched_)
    tables.add(Value::text(table));
  const std::string channel = notify_channel(lease_.pipeline);
  const std::string lsn = to_string(upto.end);
  const std::array<pg::Parameter, 3> parameters{
      pg::Parameter{channel.c_str(), 0, false}, tables.parameter(), {lsn.c_str(), 0, false}};
  return session_->send(Fixed::notify, parameters);
}

Status PostgresDestination::undo(Effort effort) {
  writer_->clear();
  (void)writer_->take_touched();
  if (!is_in_part_) touched_.clear();
  FRESHET_TRY(session_->roll_back(is_in_part_ ? "ROLLBACK TO SAVEPOINT freshet_part" : "ROLLBACK"));
  // Those prepared by what failed may not be there.
  FRESHET_TRY(session_->drop_statements());
  if (effort != Effort::by_row) return ok_status();
  if (!is_in_part_) row_by_row_->roll_back();
  return quarantine_->load(session_->connection());
}

Position PostgresDestination::settle(const Group& group, bool is_proof) {
  if (!group.is_complete) {
    touched_.merge(writer_->take_touched());
    is_in_part_ = true;
    return durability_.durable();
  }
  is_in_part_ = false;
  touched_.clear();
  row_by_row_->commit();
  position_ = std::max(group.upto, position_);
  const WalPositions& wal = session_->wal_positions();
  if (is_proof) {
    durability_.proved(position_);
    last_proof_ = std::chrono::steady_clock::now();
  } else if (!wal.has_synchronous_standbys) {
    durability_.committed(position_, wal.insert);
    durability_.flushed(wal.flush);
  }
  return durability_.durable();
}

}  // namespace freshet::postgres
