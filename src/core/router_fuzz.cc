// Fuzzes the hand-off between copy and stream: a small PostgreSQL of one table runs transactions in
// whatever order the input says, while the table is copied under the router's rules. Every change
// that is applied must find the row as it was before it (nothing twice, nothing out of order), and
// in the end both tables are equal (nothing lost).
// Covers: core/router.cc core/chunk_map.cc

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/testing/fuzz_input.h"
#include "base/try.h"
#include "core/router.h"

namespace {

using freshet::ChunkId;
using freshet::KeyRange;
using freshet::KeyVerdict;
using freshet::Lsn;
using freshet::Position;
using freshet::Snapshot;
using freshet::TableName;
using freshet::TablePhase;
using freshet::Verdict;
using freshet::Xid;
using freshet::testing::FuzzInput;

const TableName kTable{"public", "t"};
const TableName kOther{"public", "other"};
const TableName kAside{"public", "aside"};
constexpr std::string_view kKeys = "abcdefghijkl";
constexpr std::size_t kOpenMax = 5;

using Rows = std::map<std::string, unsigned, std::less<>>;
/// A row's version; nothing where there is no row.
using Cell = std::optional<unsigned>;

Cell cell_of(const Rows& rows, std::string_view key) {
  const auto found = rows.find(key);
  return found == rows.end() ? Cell{} : Cell{found->second};
}

void set_cell(Rows& rows, const std::string& key, Cell cell) {
  rows.erase(key);
  if (cell) rows[key] = *cell;
}

struct RowChange {
  std::string key;
  Cell before;
  Cell after;
};

struct Work {
  std::uint64_t xid = 0;
  std::vector<RowChange> changes{};
  Lsn commit{};
  Lsn end{};
};

freshet::Committed committed_of(const Work& work) {
  return {.xid = Xid{static_cast<std::uint32_t>(work.xid)}, .commit = work.commit, .end = work.end};
}

/// The source: a transaction is first in the WAL and only then visible, as in PostgreSQL. On a
/// standby it is visible once it is replayed, and snapshots do not tell what is under way.
class Source {
 public:
  explicit Source(FuzzInput& in) : next_xid_(first_xid(in)), is_standby_(in.below(4) == 0) {
    // Near the end of a WAL segment, so that page headers of both lengths come.
    wal_end_ = (std::uint64_t{16} << 20) - 3 * 8192 - 8 * in.byte();
    for (const char key : kKeys.substr(0, in.below(kKeys.size())))
      visible_[std::string(1, key)] = 0;
    newest_ = visible_;
  }

  void write(FuzzInput& in) {
    if (open_.size() < kOpenMax && in.flip()) open_.push_back({.xid = next_xid_++});
    if (open_.empty()) return;
    Work& work = open_[in.below(open_.size())];
    const std::string key(1, kKeys[in.below(kKeys.size())]);
    // The row's lock: held until the transaction is visible.
    if (const auto owner = locks_.find(key); owner != locks_.end() && owner->second != work.xid) {
      return;
    }
    locks_[key] = work.xid;
    const Cell before = cell_of(newest_, key);
    const Cell after = in.below(4) == 0 ? Cell{} : Cell{++last_version_};
    if (!before && !after) return;
    set_cell(newest_, key, after);
    work.changes.push_back({key, before, after});
  }

  void commit(FuzzInput& in) {
    if (open_.empty()) return;
    const auto chosen = open_.begin() + in.below(open_.size());
    chosen->commit = insert_lsn();
    advance_wal(in);
    chosen->end = Lsn{wal_end_};
    wal_.push_back(*chosen);
    committed_.push_back(std::move(*chosen));
    open_.erase(chosen);
    if (is_standby_) show_all();
  }

  void roll_back(FuzzInput& in) {
    if (open_.empty()) return;
    const auto chosen = open_.begin() + in.below(open_.size());
    for (auto change = chosen->changes.rbegin(); change != chosen->changes.rend(); ++change)
      set_cell(newest_, change->key, change->before);
    std::erase_if(locks_, [&](const auto& lock) { return lock.second == chosen->xid; });
    open_.erase(chosen);
    advance_wal(in);
  }

  /// The transaction leaves the array of running ones; others may have committed before it.
  void show(std::size_t place) {
    if (place >= committed_.size()) return;
    const auto chosen = committed_.begin() + static_cast<std::ptrdiff_t>(place);
    for (const RowChange& change : chosen->changes)
      set_cell(visible_, change.key, change.after);
    std::erase_if(locks_, [&](const auto& lock) { return lock.second == chosen->xid; });
    committed_.erase(chosen);
  }

  void show_all() {
    while (!committed_.empty())
      show(0);
  }

  Snapshot snapshot() const {
    std::string list;
    std::uint64_t xmin = next_xid_;
    const auto add = [&](const Work& work) {
      list += (list.empty() ? "" : ",") + std::to_string(work.xid);
      xmin = std::min(xmin, work.xid);
    };
    std::for_each(open_.begin(), open_.end(), add);
    std::for_each(committed_.begin(), committed_.end(), add);
    auto snapshot =
        Snapshot::parse(std::to_string(xmin) + ":" + std::to_string(next_xid_) + ":" + list);
    FRESHET_CHECK(snapshot.ok());
    return std::move(snapshot).value();
  }

  /// A standby's, with what it reads. Something may be replayed before or after it is taken.
  std::pair<Snapshot, Rows> take_on_standby(FuzzInput& in) {
    const Lsn before{wal_end_};
    if (in.below(4) == 0) commit(in);
    std::uint64_t xmin = next_xid_;
    for (const Work& work : open_)
      xmin = std::min(xmin, work.xid);
    const std::string text = std::to_string(xmin) + ":" + std::to_string(next_xid_) + ":";
    Rows rows = visible_;
    if (in.below(4) == 0) commit(in);
    auto snapshot = Snapshot::parse(text, {.before = before, .after = Lsn{wal_end_}});
    FRESHET_CHECK(snapshot.ok());
    return {std::move(snapshot).value(), std::move(rows)};
  }

  bool is_standby() const { return is_standby_; }

  /// What such a snapshot reads.
  const Rows& visible() const { return visible_; }

  bool is_idle() const { return open_.empty(); }

  const std::vector<Work>& wal() const { return wal_; }

  Lsn wal_end() const { return Lsn{wal_end_}; }

  /// As pg_current_wal_insert_lsn(): on a page's first byte it counts the header already.
  Lsn insert_lsn() const { return Lsn{wal_end_ % 8192 == 0 ? wal_end_ + header() : wal_end_}; }

 private:
  static std::uint64_t first_xid(FuzzInput& in) {
    const std::uint64_t epoch = std::uint64_t{in.below(3)} << 32;
    return epoch == 0 ? 3 + in.byte() : epoch - in.byte();  // The second comes to a wrap-around.
  }

  std::uint64_t header() const { return wal_end_ % (std::uint64_t{16} << 20) == 0 ? 40 : 24; }

  /// Writes one record of at least its own header's length.
  void advance_wal(FuzzInput& in) {
    std::uint64_t left = 24 + 8 * std::uint64_t{in.byte()} * (in.flip() ? 4 : 1);
    while (left > 0) {
      if (wal_end_ % 8192 == 0) wal_end_ += header();
      const std::uint64_t step = std::min(left, 8192 - wal_end_ % 8192);
      wal_end_ += step;
      left -= step;
    }
  }

  std::uint64_t next_xid_;
  const bool is_standby_;
  std::uint64_t wal_end_ = 0;
  unsigned last_version_ = 0;
  std::vector<Work> open_;
  std::vector<Work> committed_;  // In the WAL, and not yet visible.
  std::vector<Work> wal_;
  std::map<std::string, std::uint64_t> locks_;
  Rows newest_;  // What the next change of a row finds, where its lock allows one.
  Rows visible_;
};

struct Held {
  ChunkId chunk{0};
  RowChange change;
};

struct Chunk {
  KeyRange range;
  Snapshot snapshot;
  Rows rows;
  bool is_done = false;
  Lsn read_upto{};
};

bool is_in(const KeyRange& range, std::string_view key) {
  return key >= range.from && (!range.to || key < *range.to);
}

/// A destination, and the engine that copies and streams into it.
class Engine {
 public:
  Engine(FuzzInput& in, Source& source) : source_(source) {
    router_.add_streaming(kOther);
    router_.add_set_aside(kAside, in.flip() ? TablePhase::paused : TablePhase::errored);
    router_.add_pending(kTable);
    FRESHET_CHECK(router_.knows(kTable) && !router_.knows({"public", "none"}));
    if (in.below(4) != 0 || source.is_standby()) return;
    // Of the slot's snapshot: nothing was open when the slot was made.
    router_.begin_copy_of_slot(kTable);
    copied_ = source_.visible();
  }

  void step(FuzzInput& in) {
    check_consistency(in);
    switch (in.below(8)) {
      case 0:
      case 1:
        return receive(in);
      case 2:
        return start_copy(in);
      case 3:
        end_chunk(in);
        return;
      case 4:
        return finish_copy();
      case 5:
        return catch_up();
      case 6:
        if (in.below(8) == 0) restart_copy(in);
        return;
      default:
        if (in.below(8) == 0) restart_process();
        return;
    }
  }

  /// Streams and copies what is left.
  void complete(FuzzInput& in) {
    source_.show_all();
    while (received_ < source_.wal().size())
      receive(in);
    for (int turn = 0; router_.phase(kTable) != TablePhase::streaming; ++turn) {
      FRESHET_CHECK(turn < 100);
      start_copy(in);
      while (router_.is_chunked(kTable) && end_chunk(in))
        continue;
      finish_copy();
      catch_up();
    }
    FRESHET_CHECK(router_.is_all_streaming());
    FRESHET_CHECK(rows_ == source_.visible());
  }

 private:
  Position position() const {
    // A keepalive names the end of the WAL once everything was sent.
    if (received_ == source_.wal().size()) return {source_.wal_end()};
    return {received_ == 0 ? freshet::kNoLsn : source_.wal()[received_ - 1].end};
  }

  void apply(const RowChange& change) {
    FRESHET_CHECK(cell_of(rows_, change.key) == change.before);
    set_cell(rows_, change.key, change.after);
  }

  void receive(FuzzInput& in) {
    if (received_ == source_.wal().size()) return;
    const Work& work = source_.wal()[received_++];
    const Xid xid{static_cast<std::uint32_t>(work.xid)};
    FRESHET_CHECK(router_.judge(kOther, committed_of(work)) == Verdict::apply);
    FRESHET_CHECK(router_.judge(kAside, committed_of(work)) == Verdict::skip);
    if (work.changes.empty()) return;
    const bool was_pending = router_.phase(kTable) == TablePhase::pending;
    const Verdict verdict = router_.judge(kTable, committed_of(work));
    if (!was_pending && router_.phase(kTable) == TablePhase::pending) {
      // The standby's snapshot may see it or not.
      FRESHET_CHECK(source_.is_standby() && verdict == Verdict::skip);
      forget_copy();
      rows_.clear();
      return;
    }
    FRESHET_CHECK((verdict == Verdict::by_key) == router_.is_chunked(kTable));
    if (verdict == Verdict::by_key && in.flip() && router_.is_seen_by_all_chunks(kTable, xid)) {
      for (const auto& [id, chunk] : chunks_)
        FRESHET_CHECK(chunk.snapshot.is_visible(freshet::FullXid{work.xid}));
      return;
    }
    for (const RowChange& change : work.changes)
      receive_row(work, change, verdict);
  }

  void receive_row(const Work& work, const RowChange& change, Verdict verdict) {
    KeyVerdict judged{verdict, ChunkId{0}};
    if (verdict == Verdict::by_key) {
      judged = router_.judge_key(kTable, change.key, Xid{static_cast<std::uint32_t>(work.xid)});
      FRESHET_CHECK(judged.chunk == chunk_of(change.key));
    }
    FRESHET_CHECK(judged.verdict != Verdict::by_key);
    if (judged.verdict == Verdict::apply) apply(change);
    if (judged.verdict == Verdict::hold) held_.push_back({judged.chunk, change});
  }

  ChunkId chunk_of(std::string_view key) const {
    for (const auto& [id, chunk] : chunks_) {
      if (is_in(chunk.range, key)) return id;
    }
    return ChunkId{0};
  }

  /// Whole, in chunks, or the next chunk of a copy that has begun.
  void start_copy(FuzzInput& in) {
    if (router_.is_chunked(kTable)) return start_chunk(in);
    if (router_.phase(kTable) != TablePhase::pending) return;
    if (!is_past_barrier_) return pass_barrier();
    if (source_.is_standby()) return start_on_standby(in);
    if (router_.may_copy_in_chunks(kTable) && in.flip()) {
      router_.begin_chunked_copy(kTable, {"key"}, 7);
      FRESHET_CHECK(router_.chunk_columns(kTable) == std::vector<std::string>{"key"});
      FRESHET_CHECK(router_.chunk_heap(kTable) == 7);
      return;
    }
    const Snapshot snapshot = source_.snapshot();
    if (!router_.may_begin_copy(kTable, snapshot)) return;
    copied_ = source_.visible();
    router_.begin_copy(kTable, snapshot);
    is_unsettled_ = true;
  }

  void start_on_standby(FuzzInput& in) {
    const auto [snapshot, rows] = source_.take_on_standby(in);
    if (!router_.may_begin_copy(kTable, snapshot)) return;
    copied_ = rows;
    router_.begin_copy(kTable, snapshot);
  }

  /// Every transaction that may have been decoded is visible; those that come later need not be.
  void pass_barrier() {
    source_.show_all();
    is_past_barrier_ = true;
  }

  void start_chunk(FuzzInput& in) {
    const std::vector<KeyRange> unread = router_.unread(kTable);
    if (unread.empty()) return;
    const Snapshot snapshot = source_.snapshot();
    if (!router_.may_begin_chunk(kTable, snapshot)) return;
    KeyRange range = unread[in.below(unread.size())];
    const std::string from(1, kKeys[in.below(kKeys.size())]);
    if (in.flip() && is_in(range, from)) range.from = from;
    const std::string to(1, kKeys[in.below(kKeys.size())]);
    if (in.flip() && to > range.from && is_in(range, to)) range.to = to;
    Chunk chunk{.range = range, .snapshot = snapshot, .rows = {}};
    for (const auto& [key, version] : source_.visible()) {
      if (is_in(range, key)) chunk.rows[key] = version;
    }
    const ChunkId id = router_.begin_chunk(kTable, range, snapshot);
    FRESHET_CHECK(chunks_.emplace(id, std::move(chunk)).second);
  }

  /// A chunk that is being read is done, or given up. False if there is none.
  bool end_chunk(FuzzInput& in) {
    std::vector<ChunkId> reading;
    for (const auto& [id, chunk] : chunks_) {
      if (!chunk.is_done) reading.push_back(id);
    }
    if (reading.empty() || !router_.is_chunked(kTable)) return false;
    const ChunkId id = reading[in.below(reading.size())];
    if (in.below(4) == 1) {
      router_.drop_chunk(kTable, id);
      chunks_.erase(id);
      std::erase_if(held_, [&](const Held& held) { return held.chunk == id; });
      FRESHET_CHECK(!router_.finish_chunk(kTable, id, source_.insert_lsn()));
      return true;
    }
    Chunk& chunk = chunks_.at(id);
    chunk.is_done = true;
    chunk.read_upto = source_.insert_lsn();
    FRESHET_CHECK(router_.finish_chunk(kTable, id, chunk.read_upto));
    rows_.insert(chunk.rows.begin(), chunk.rows.end());
    apply_held(id);
    return true;
  }

  void apply_held(ChunkId id) {
    for (const Held& held : held_) {
      if (held.chunk == id) apply(held.change);
    }
    std::erase_if(held_, [&](const Held& held) { return held.chunk == id; });
  }

  void finish_copy() {
    if (router_.phase(kTable) != TablePhase::copying) return;
    if (router_.is_chunked(kTable)) {
      if (!router_.has_all_chunks(kTable)) return;
      FRESHET_CHECK(held_.empty());
      router_.finish_copy(kTable, router_.chunks_read_upto(kTable));
      return;
    }
    rows_ = copied_;
    settled_at_ = source_.insert_lsn();
    router_.finish_copy(kTable, settled_at_);
  }

  void catch_up() {
    const bool may = router_.may_catch_up(kTable, position());
    FRESHET_CHECK(!may || router_.phase(kTable) == TablePhase::catching_up);
    // Once all was sent, nothing is left to wait for.
    if (router_.phase(kTable) == TablePhase::catching_up && received_ == source_.wal().size()) {
      FRESHET_CHECK(may);
    }
    if (!may) return;
    apply_held(ChunkId{0});
    FRESHET_CHECK(held_.empty());
    router_.set_streaming(kTable);
    forget_copy();
  }

  void forget_copy() {
    chunks_.clear();
    held_.clear();
    copied_.clear();
    is_unsettled_ = false;
    is_past_barrier_ = false;
  }

  void restart_copy(FuzzInput& in) {
    if (in.flip()) {
      router_.restart_copy_whole(kTable);
      FRESHET_CHECK(!router_.may_copy_in_chunks(kTable));
    } else {
      router_.restart_copy(kTable);
    }
    for (const auto& [id, chunk] : chunks_)
      FRESHET_CHECK(!router_.finish_chunk(kTable, id, chunk.read_upto));
    FRESHET_CHECK(router_.unread(kTable).empty() && !router_.has_all_chunks(kTable));
    forget_copy();
    rows_.clear();
  }

  /// The process is killed: what lies at the destination is kept, its chunks and its position.
  void restart_process() {
    const TablePhase phase = router_.phase(kTable);
    const bool is_chunked = router_.is_chunked(kTable);
    router_ = freshet::Router{position()};
    router_.add_streaming(kOther);
    router_.add_set_aside(kAside, TablePhase::paused);
    if (phase == TablePhase::streaming) return router_.add_streaming(kTable);
    router_.add_pending(kTable);
    std::erase_if(chunks_, [](const auto& entry) { return !entry.second.is_done; });
    if (!is_chunked || chunks_.empty()) {
      forget_copy();
      rows_.clear();
      return;
    }
    held_.clear();
    router_.begin_chunked_copy(kTable, {"key"}, 7);
    std::map<ChunkId, Chunk> resumed;
    std::uint64_t id = 0;
    for (auto& [old_id, chunk] : chunks_) {
      router_.resume_chunk(kTable, chunk.range, chunk.snapshot, chunk.read_upto);
      resumed.emplace(ChunkId{++id}, std::move(chunk));
    }
    chunks_ = std::move(resumed);
    // What was streamed and skipped as unread is not known any more: the barrier sees to it.
    pass_barrier();
  }

  void check_consistency(FuzzInput& in) const {
    const std::vector<KeyRange> unread = router_.unread(kTable);
    for (const char c : kKeys) {
      const std::string_view key{&c, 1};
      const auto covers = [&](const KeyRange& range) { return is_in(range, key); };
      const auto count = std::count_if(unread.begin(), unread.end(), covers);
      FRESHET_CHECK(count == (router_.is_chunked(kTable) && chunk_of(key) == ChunkId{0} ? 1 : 0));
    }
    const TablePhase phase = router_.phase(kTable);
    const auto in_phase = router_.tables_in(phase);
    FRESHET_CHECK(std::count(in_phase.begin(), in_phase.end(), kTable) == 1);
    if (in.below(4) != 0) return;
    const bool is_waiting =
        phase == TablePhase::copying ||
        (phase == TablePhase::catching_up && !freshet::has_passed(position(), settled_at_));
    FRESHET_CHECK(router_.is_unsettled(kTable, position()) == (is_unsettled_ && is_waiting));
  }

  Source& source_;
  freshet::Router router_;
  std::size_t received_ = 0;
  Rows rows_;
  Rows copied_;                // Read under one snapshot, and not yet at the destination.
  bool is_unsettled_ = false;  // Read under a snapshot taken after the slot's.
  bool is_past_barrier_ = false;
  Lsn settled_at_{};
  std::map<ChunkId, Chunk> chunks_;
  std::vector<Held> held_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzInput in{data, size};
  Source source{in};
  Engine engine{in, source};
  while (!in.is_empty()) {
    switch (in.below(8)) {
      case 0:
      case 1:
        source.write(in);
        break;
      case 2:
        source.commit(in);
        break;
      case 3:
        source.show(in.below(kOpenMax));
        break;
      case 4:
        if (in.below(4) == 0) source.roll_back(in);
        break;
      default:
        engine.step(in);
    }
  }
  while (!source.is_idle())
    source.commit(in);
  engine.complete(in);
  return 0;
}
