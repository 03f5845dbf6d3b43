#include "pipeline/chunk_round.h"

#include <algorithm>
#include <thread>

#include <pthread.h>

#include "base/error_policy.h"
#include "base/log.h"
#include "base/try.h"
#include "pg/sqlstate.h"
#include "pipeline/range_feed.h"
#include "source/chunk_copy.h"
#include "source/table_read.h"
#include "types/table_error.h"

namespace freshet {
namespace {

// A chunk is to take about so long: little is lost by a kill, and no snapshot is held for longer.
constexpr std::chrono::duration<double> kChunkTime{1.0};
constexpr std::uint64_t kFirstChunkRows = 20'000;
constexpr std::uint64_t kChunkRowsMin = 500;
constexpr std::uint64_t kChunkRowsMax = 5'000'000;
// From one chunk to the next the size changes by no more than this factor.
constexpr double kStepMax = 4.0;
constexpr std::chrono::milliseconds kLook{200};
constexpr std::chrono::milliseconds kSnapshotRetry{20};
constexpr std::chrono::milliseconds kErrorPause{500};

}  // namespace

// One chunk on its way, begun in the routers of all lanes that want it.
struct ChunkRound::Attempt {
  std::vector<ChunkId> ids;  // one per lane
  std::string snapshot;
  std::unique_ptr<RangeFeed> feed;
  Status opened;
  Lsn read_upto = kNoLsn;
};

ChunkRound::ChunkRound(Options options,
                       std::mutex& router_mutex,
                       Failure& failure,
                       const std::atomic<bool>& is_stopping)
    : options_(std::move(options)),
      router_mutex_(router_mutex),
      failure_(failure),
      is_stopping_(is_stopping) {}

void ChunkRound::add(ChunkTable table) {
  auto work = std::make_unique<Work>();
  work->of = std::move(table);
  work->chunk_rows = kFirstChunkRows;
  std::vector<KeyRange> unread;
  {
    // Several lanes begin together, so that one tells for all.
    const std::lock_guard lock(router_mutex_);
    unread = work->of.lanes.front()->router().unread(work->of.name);
  }
  const SortKeyCodec& codec = work->of.codec;
  for (const KeyRange& range : unread) {
    KeyBounds& bounds = work->unread.emplace_back();
    bounds.columns = codec.columns();
    if (!range.from.empty()) bounds.from = codec.decode(range.from);
    if (range.to) bounds.to = codec.decode(*range.to);
  }
  works_.push_back(std::move(work));
}

Status ChunkRound::run() {
  for (const auto& work : works_)
    conclude_if_read(*work);
  {
    std::vector<std::jthread> workers;
    for (std::uint32_t i = 0; i < options_.connections; ++i)
      workers.emplace_back([this] { work_off(); });
  }
  if (is_stopping_ || has_failed_) return Error{ErrorKind::cancelled, "the copy was stopped"};
  for (const auto& work : works_) {
    if (!work->is_concluded) FRESHET_TRY(conclude(*work));
  }
  return ok_status();
}

void ChunkRound::work_off() {
  ::pthread_setname_np(::pthread_self(), "chunk worker");
  std::unique_ptr<pg::Connection> connection;
  while (const std::optional<Task> task = next_task(connection)) {
    const auto started = Clock::now();
    Status status = copy(*connection, *task);
    if (status.ok()) {
      finish(*task, Clock::now() - started);
      continue;
    }
    const bool goes_on = survives(status.error(), *task, connection);
    give_back(*task);
    if (!goes_on) return;
  }
}

bool ChunkRound::is_damage(const Error& error, const Task& task) {
  if (!source::is_server_fault(error)) return false;
  const std::lock_guard lock(mutex_);
  return ++task.work->faults[task.bounds.from] >= source::kFaultsMax;
}

bool ChunkRound::survives(const Error& error,
                          const Task& task,
                          std::unique_ptr<pg::Connection>& connection) {
  if (is_stopping_) return false;
  Work& work = *task.work;
  if (is_void(work)) return true;
  if (source::is_changed_table(error)) {
    make_void(work, error);
    return true;
  }
  connection.reset();
  const Error told = is_damage(error, task) ? source::damaged(error) : error;
  if (told.kind() == ErrorKind::cancelled || retry_of(told) == Retry::never ||
      source::is_stale_plan(told)) {
    failure_.report(naming(told, work.of.name));
    const std::lock_guard lock(mutex_);
    has_failed_ = true;
    return false;
  }
  log_error(LogLevel::warn, "a chunk is read again", error);
  std::this_thread::sleep_for(kErrorPause);
  return true;
}

std::optional<ChunkRound::Task> ChunkRound::next_task(std::unique_ptr<pg::Connection>& connection) {
  while (true) {
    Task task;
    task.work = take_gap(task.bounds, task.rows);
    if (task.work == nullptr) return {};
    const Status status = cut(connection, task);
    if (status.ok()) return task;
    const bool goes_on = survives(status.error(), task, connection);
    give_back(task);
    if (!goes_on) return {};
  }
}

// Waits for something to be read; null when nothing will come.
ChunkRound::Work* ChunkRound::take_gap(KeyBounds& gap, std::uint64_t& rows) {
  std::unique_lock lock(mutex_);
  while (!is_stopping_ && !has_failed_) {
    if (Work* const work = pick(); work != nullptr) {
      gap = std::move(work->unread.front());
      work->unread.pop_front();
      rows = work->chunk_rows;
      work->is_being_cut = true;
      ++work->tasks_out;
      return work;
    }
    const bool is_over = std::all_of(works_.begin(), works_.end(),
                                     [](const auto& work) { return work->tasks_out == 0; });
    if (is_over) return nullptr;
    changed_.wait_for(lock, kLook);
  }
  return nullptr;
}

ChunkRound::Work* ChunkRound::pick() {
  for (std::size_t i = 0; i < works_.size(); ++i) {
    Work& work = *works_[(turn_ + i) % works_.size()];
    if (work.is_void || work.is_being_cut || work.unread.empty()) continue;
    turn_ = (turn_ + i + 1) % works_.size();
    return &work;
  }
  return nullptr;
}

// Takes the first rows of the gap as the task, and leaves the rest to others.
Status ChunkRound::cut(std::unique_ptr<pg::Connection>& connection, Task& task) {
  Work& work = *task.work;
  std::vector<std::string> end;
  const auto find_end = [&]() -> Status {
    if (!connection) {
      FRESHET_TRY(connection, pg::Connection::open(options_.connect));
    }
    FRESHET_TRY(end, source::find_chunk_end(*connection, work.of.table.heaps.front(), task.bounds,
                                            task.rows));
    if (end.empty()) return ok_status();
    auto key = work.of.codec.encode(end);
    return key.ok() ? ok_status() : Status{std::move(key).error()};
  };
  Status status = find_end();
  const std::lock_guard lock(mutex_);
  work.is_being_cut = false;
  if (!end.empty()) {
    work.unread.push_front(
        {.columns = task.bounds.columns, .from = end, .to = std::move(task.bounds.to)});
    task.bounds.to = std::move(end);
  } else {
    task.rows = 0;
  }
  changed_.notify_all();
  return status;
}

Status ChunkRound::copy(pg::Connection& connection, const Task& task) {
  while (true) {
    Attempt attempt;
    Status status = feed(connection, task, attempt);
    if (status.ok() && !attempt.ids.empty()) return record(task, attempt);
    // What it left open at a destination holds locks. The lane may be waiting for them, and below
    // we wait for the lane.
    attempt.feed.reset();
    for (std::size_t i = 0; i < attempt.ids.size(); ++i)
      FRESHET_TRY(task.work->of.lanes[i]->drop_chunk(task.work->of.name, attempt.ids[i]));
    FRESHET_TRY(std::move(status));
    if (is_stopping_ || is_void(*task.work)) {
      return Error{ErrorKind::cancelled, "the copy of the table begins again"};
    }
    std::this_thread::sleep_for(kSnapshotRetry);
  }
}

// Reads the chunk into the destinations. Leaves `attempt` without ids where the snapshot could not
// be used.
Status ChunkRound::feed(pg::Connection& connection, const Task& task, Attempt& attempt) {
  auto read = source::copy_chunk(
      connection,
      {.table = &task.work->of.table,
       .planned = &task.work->of.planned,
       .bounds = task.bounds,
       .system_identifier = options_.system_identifier},
      [&](const Snapshot& snapshot) { return begin(task, snapshot, attempt); },
      [&](std::string_view lines) { return attempt.feed->take(lines); });
  // What a destination refuses ends the session, which opens it again; but not where somebody locks
  // its table.
  if (!attempt.opened.ok()) {
    const bool is_locked = attempt.opened.error().sqlstate() == pg::sqlstate::kLockNotAvailable;
    if (!is_locked) failure_.report(attempt.opened.error());
    return attempt.opened;
  }
  if (!read.ok()) {
    const bool is_destinations = attempt.feed && attempt.feed->has_failed();
    if (is_destinations && !is_stopping_) failure_.report(read.error());
    return std::move(read).error();
  }
  if (!*read) return ok_status();
  attempt.read_upto = (*read)->read_upto;
  Status finished = attempt.feed->finish();
  if (!finished.ok() && !is_stopping_) failure_.report(finished.error());
  return finished;
}

// The look at the snapshot and the step from unread to reading are one: no change is judged in
// between.
bool ChunkRound::begin(const Task& task, const Snapshot& snapshot, Attempt& attempt) {
  const ChunkTable& table = task.work->of;
  {
    const std::lock_guard lock(router_mutex_);
    const bool is_chunked = std::all_of(table.lanes.begin(), table.lanes.end(), [&](Lane* lane) {
      return lane->router().is_chunked(table.name);
    });
    const bool may_begin =
        is_chunked && std::all_of(table.lanes.begin(), table.lanes.end(), [&](Lane* lane) {
          return lane->router().may_begin_chunk(table.name, snapshot);
        });
    if (!is_chunked) {
      const std::lock_guard own(mutex_);
      task.work->is_void = true;
    }
    if (!may_begin) return false;
    for (Lane* lane : table.lanes) {
      attempt.ids.push_back(
          lane->router().begin_chunk(table.name, range_of(*task.work, task.bounds), snapshot));
    }
  }
  attempt.snapshot = snapshot.to_string();
  auto opened =
      RangeFeed::open(table.shape, {.table = table.name, .replaced = task.bounds}, table.lanes);
  if (opened.ok()) {
    attempt.feed = std::move(opened).value();
  } else {
    attempt.opened = std::move(opened).error();
  }
  return attempt.opened.ok();
}

Status ChunkRound::record(const Task& task, const Attempt& attempt) {
  const ChunkTable& table = task.work->of;
  for (std::size_t i = 0; i < attempt.ids.size(); ++i) {
    auto counts = table.lanes[i]->finish_chunk(
        attempt.ids[i], {.table = table.name,
                         .bounds = task.bounds,
                         .snapshot = attempt.snapshot,
                         .read_upto = attempt.read_upto,
                         .relfilenode = table.table.heaps.front().relfilenode,
                         .condition = table.table.where});
    if (!counts.ok()) {
      if (!is_stopping_) failure_.report(counts.error());
      return std::move(counts).error();
    }
    if (*counts) continue;
    const std::lock_guard lock(mutex_);
    task.work->is_void = true;
  }
  return ok_status();
}

void ChunkRound::finish(const Task& task, Clock::duration elapsed) {
  const double wanted = kChunkTime / std::chrono::duration<double>(elapsed);
  const double factor = std::clamp(wanted, 1 / kStepMax, kStepMax);
  {
    const std::lock_guard lock(mutex_);
    // From this chunk's own size: several workers that end together must not each enlarge the next.
    if (task.rows > 0) {
      task.work->chunk_rows =
          std::clamp(static_cast<std::uint64_t>(static_cast<double>(task.rows) * factor),
                     kChunkRowsMin, kChunkRowsMax);
    }
    task.work->faults.erase(task.bounds.from);
    --task.work->tasks_out;
    changed_.notify_all();
  }
  conclude_if_read(*task.work);
}

// A table that is read need not wait for the others.
void ChunkRound::conclude_if_read(Work& work) {
  {
    const std::lock_guard lock(mutex_);
    const bool is_read = work.unread.empty() && work.tasks_out == 0 && !work.is_void;
    if (!is_read || work.is_concluded) return;
    work.is_concluded = true;
  }
  if (const Status status = conclude(work); !status.ok() && !is_stopping_) {
    failure_.report(status.error());
  }
}

void ChunkRound::give_back(const Task& task) {
  const std::lock_guard lock(mutex_);
  task.work->unread.push_front(task.bounds);
  --task.work->tasks_out;
  changed_.notify_all();
}

bool ChunkRound::is_void(const Work& work) {
  const std::lock_guard lock(mutex_);
  return work.is_void;
}

void ChunkRound::make_void(Work& work, const Error& reason) {
  const std::lock_guard lock(mutex_);
  if (!work.is_void) log_error(LogLevel::warn, "the copy of a table became void", reason);
  work.is_void = true;
}

Status ChunkRound::conclude(Work& work) {
  const TableName& name = work.of.name;
  bool is_whole = !work.is_void;
  Lsn read_upto = kNoLsn;
  {
    const std::lock_guard lock(router_mutex_);
    for (Lane* lane : work.of.lanes) {
      is_whole = is_whole && lane->router().has_all_chunks(name);
      read_upto = std::max(read_upto, lane->router().chunks_read_upto(name));
    }
  }
  for (Lane* lane : work.of.lanes) {
    const FinishedCopy finished{name, read_upto};
    FRESHET_TRY(is_whole ? lane->finish_copy({&finished, 1}) : lane->restart_copy(name));
  }
  log_info(is_whole ? "table copied" : "copying the table again", {{"table", to_string(name)}});
  return ok_status();
}

KeyRange ChunkRound::range_of(const Work& work, const KeyBounds& bounds) const {
  const auto encode = [&](const std::vector<std::string>& values) {
    // cut() has done so before, or an earlier process.
    auto key = work.of.codec.encode(values);
    FRESHET_CHECK(key.ok());
    return std::move(key).value();
  };
  KeyRange range;
  if (!bounds.from.empty()) range.from = encode(bounds.from);
  if (!bounds.to.empty()) range.to = encode(bounds.to);
  return range;
}

}  // namespace freshet
