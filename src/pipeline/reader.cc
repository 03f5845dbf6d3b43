#include "pipeline/reader.h"

#include <algorithm>
#include <random>

#include <pthread.h>

#include "base/error_policy.h"
#include "base/log.h"
#include "base/try.h"
#include "source/slot.h"

namespace freshet {
namespace {

// A status update at most so often while positions move, and at least so often while they do not
// (the server drops a silent client after wal_sender_timeout, 60 s by default, but a few in places;
// while it decodes a large transaction it does not ask first).
constexpr std::chrono::milliseconds kFeedbackInterval{100};
constexpr std::chrono::seconds kFeedbackSilenceMax{1};
// Where source and destination are one cluster, each idle commit makes WAL for the next: go slowly.
constexpr std::chrono::seconds kIdleInterval{2};
constexpr std::chrono::milliseconds kUrgentInterval{20};
// What is taken before feedback is looked at again.
constexpr int kMessagesPerRound = 4096;
constexpr std::size_t kBytesPerRound = std::size_t{16} << 20;
// A lane begins on a long burst before all of it was read.
constexpr std::size_t kBatchBytesMax = std::size_t{256} << 10;
constexpr std::chrono::milliseconds kWaitMax{500};
constexpr std::chrono::seconds kEndTimeout{5};
// A server that fails at the same place again and again needs somebody to look.
constexpr unsigned kFruitlessAttemptsMax = 10;

std::uint64_t random_number() {
  thread_local std::mt19937_64 engine{std::random_device{}()};
  return engine();
}

}  // namespace

Reader::Reader(Options options,
               std::unique_ptr<source::ReplicationConnection> connection,
               std::span<const std::unique_ptr<Lane>> lanes,
               SpillStore& spill,
               Wake& wake,
               Failure& failure,
               std::atomic<bool>& is_urgent)
    : options_(std::move(options)),
      connection_(std::move(connection)),
      lanes_(lanes),
      assembler_({.memory_bytes_max = options_.memory_bytes_max}, spill),
      wake_(wake),
      failure_(failure),
      is_urgent_(is_urgent),
      published_(options_.published) {
  received_ = to_integer(published_.end);
  acknowledged_ = to_integer(options_.confirmed_flush);
  assembler_.skip_upto(published_);
  assembler_.set_undecided(options_.undecided);
}

Reader::~Reader() {
  abort();
}

void Reader::start() {
  thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), "reader");
    if (Status status = run(); !status.ok() && wish_.load() != Wish::abort) {
      failure_.report(std::move(status).error());
    }
    failure_.notify();
  });
}

Status Reader::run() {
  while (true) {
    const Wish wish = wish_.load(std::memory_order_acquire);
    if (wish == Wish::abort) return ok_status();
    if (wish == Wish::finish) {
      // All is durable by then; what the server did not hear of it streams again.
      if (const Status ended = end_stream(); !ended.ok())
        log_error(LogLevel::warn, "replication did not end in good order", ended.error());
      return ok_status();
    }
    Status status = read_once();
    if (status.ok()) continue;
    if (wish_.load(std::memory_order_acquire) != Wish::read) return ok_status();
    if (retry_of(status.error()) == Retry::never) return status;
    FRESHET_TRY(reconnect(status.error()));
  }
}

bool Reader::has_room() const {
  return std::none_of(lanes_.begin(), lanes_.end(),
                      [](const auto& lane) { return lane->is_full(); });
}

Status Reader::read_once() {
  wake_.clear();
  if (!connection_) {  // lost, and the wish to stop came before the next one stood
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return ok_status();
  }
  const bool is_urgent = is_urgent_.load(std::memory_order_relaxed);
  const auto wait_max = is_urgent ? kUrgentInterval : kWaitMax;
  if (wish_.load() == Wish::drain || !has_room()) {
    // Keep answering while the lanes are full: a silent client is dropped after wal_sender_timeout.
    FRESHET_TRY(const bool ready,
                connection_->connection().wait(pg::Ready::write, std::chrono::milliseconds(0)));
    static_cast<void>(ready);
    FRESHET_TRY(give_feedback());
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return ok_status();
  }
  const Status status = read_messages(wait_max);
  // Whatever ended it, what was taken counts as published.
  publish_batch();
  FRESHET_TRY(status);
  return give_feedback();
}

// Every event that was received is taken: what is dropped here is lost.
Status Reader::read_messages(std::chrono::milliseconds wait_max) {
  std::size_t bytes = 0;
  for (int i = 0; i < kMessagesPerRound && bytes < kBytesPerRound && has_room(); ++i) {
    FRESHET_TRY(const source::StreamEvent event,
                connection_->receive({.wait_max = wait_max, .wake_fd = i == 0 ? wake_.fd() : -1}));
    wait_max = std::chrono::milliseconds(0);
    if (const auto* data = std::get_if<source::WalData>(&event)) {
      bytes += data->bytes.size();
      FRESHET_TRY(take(*data));
    } else if (const auto* keepalive = std::get_if<source::Keepalive>(&event)) {
      take(*keepalive);
    } else if (std::holds_alternative<source::Ended>(event)) {
      return Error{ErrorKind::connection, "the server ended the stream"};
    } else {
      break;
    }
  }
  return ok_status();
}

Status Reader::take(const source::WalData& data) {
  bytes_.fetch_add(data.bytes.size(), std::memory_order_relaxed);
  FRESHET_TRY(const TransactionPtr transaction, assembler_.push(data.start, data.bytes));
  if (!transaction) return ok_status();
  const Position end{transaction->info().end_lsn};
  passed_ = std::max(passed_, end.end);
  // After a reconnect the server sends again what it was not told of.
  if (end <= published_) return ok_status();
  backoff_.reset();
  published_ = end;
  received_.store(to_integer(end.end), std::memory_order_release);
  changes_.fetch_add(transaction->change_count(), std::memory_order_relaxed);
  // Servers before 16 do not leave it out themselves.
  const bool is_left_out = options_.start.origin == "none" && !transaction->origin().empty();
  add_to_batch(is_left_out ? LaneItem{nullptr, end} : LaneItem{transaction, {}});
  return ok_status();
}

void Reader::add_to_batch(LaneItem item) {
  batch_bytes_ += item.transaction ? item.transaction->memory_bytes() : 0;
  batch_.push_back(std::move(item));
  if (batch_bytes_ >= kBatchBytesMax) publish_batch();
}

void Reader::publish_batch() {
  if (batch_.empty()) return;
  for (const auto& lane : lanes_)
    lane->push(batch_);
  batch_.clear();
  batch_bytes_ = 0;
}

void Reader::take(const source::Keepalive& keepalive) {
  wal_end_ = std::max(wal_end_, keepalive.wal_end);
  passed_ = std::max(passed_, keepalive.wal_end);
  owes_reply_ = owes_reply_ || keepalive.wants_reply;
}

// An idle or unpublished-only database must not pin WAL: its position goes through the destinations
// like any other, so that the slot is never ahead of what they know.
void Reader::publish_idle(Position position) {
  backoff_.reset();
  published_ = position;
  received_.store(to_integer(position.end), std::memory_order_release);
  last_idle_ = Clock::now();
  add_to_batch({nullptr, position});
  publish_batch();
}

Lsn Reader::acknowledgeable() {
  Position durable = published_;
  for (const auto& lane : lanes_)
    durable = std::min(durable, lane->durable());
  // Until the stream has come so far, it may still bring a PREPARE that nobody else remembers.
  Position least{std::min(durable.end, passed_)};
  if (const std::optional<Lsn> prepared = assembler_.hold_below(durable)) {
    least.end = std::min(least.end, *prepared);
  }
  return least.end;
}

Status Reader::give_feedback() {
  const auto now = Clock::now();
  const bool is_urgent = is_urgent_.load(std::memory_order_relaxed);
  const auto idle_interval =
      is_urgent ? Clock::duration(kUrgentInterval) : Clock::duration(kIdleInterval);
  if (Position{wal_end_} > published_ && now - last_idle_ >= idle_interval)
    publish_idle({wal_end_});

  const Lsn flushed = std::max(acknowledgeable(), Lsn{acknowledged_.load()});
  const bool has_news =
      to_integer(flushed) > acknowledged_.load() && now - last_feedback_ >= kFeedbackInterval;
  const bool wants_reply = is_urgent && now - last_request_ >= kFeedbackInterval;
  if (!owes_reply_ && !has_news && !wants_reply && now - last_feedback_ < kFeedbackSilenceMax)
    return ok_status();
  FRESHET_TRY(connection_->send_status({.written = std::max(published_.end, flushed),
                                        .flushed = flushed,
                                        .applied = flushed,
                                        .wants_reply = wants_reply}));
  owes_reply_ = false;
  last_feedback_ = now;
  if (wants_reply) last_request_ = now;
  acknowledged_.store(to_integer(flushed), std::memory_order_release);
  return ok_status();
}

// A bytea takes twice its size as text, and no text is larger than 1 GB.
bool Reader::is_too_large_as_text(const Error& cause) const {
  return !options_.start.is_binary &&
         (cause.message().find("invalid memory alloc request size") != std::string::npos ||
          cause.message().find("string buffer") != std::string::npos);
}

Status Reader::reconnect(const Error& cause) {
  if (is_too_large_as_text(cause)) {
    return Error{ErrorKind::unsupported,
                 "the server cannot send a value as text, as it is too large: " + cause.message()}
        .sqlstate(cause.sqlstate())
        .with("reason", kTooLargeAsText)
        .with("after", to_string(published_.end))
        .fix("set source.binary: true; a bytea is then sent as it is");
  }
  if (cause.message().find("no binary output function") != std::string::npos) {
    return Error{ErrorKind::unsupported,
                 "the server cannot send a value in binary form: " + cause.message()}
        .sqlstate(cause.sqlstate())
        .with("after", to_string(published_.end))
        .fix("remove source.binary");
  }
  log_error(LogLevel::warn, "replication connection lost, connecting again", cause);
  reconnects_.fetch_add(1, std::memory_order_relaxed);
  connection_.reset();
  const bool is_stuck =
      cause.kind() != ErrorKind::connection && backoff_.attempt() >= kFruitlessAttemptsMax;
  if (is_stuck && cause.sqlstate().starts_with("XX")) {
    // A fault of the server's own at the same place each time: trying on would only pin its WAL.
    return Error{ErrorKind::unsupported, "the server cannot decode its WAL: " + cause.message()}
        .sqlstate(cause.sqlstate())
        .with("after", to_string(published_.end))
        .fix("try source.streaming: false; else `freshet drop`, and start again to copy afresh");
  }
  if (is_stuck) return Error{cause}.with("attempts", backoff_.attempt());
  // What was published need not be sent again. But a PREPARE must, be it one that the assembler
  // holds or one that this session had not come to yet.
  options_.start.start = options_.start.is_two_phase
                             ? Position{Lsn{acknowledged_.load(std::memory_order_acquire)}}
                             : published_;
  assembler_.reset();
  assembler_.skip_upto(published_);
  wal_end_ = kNoLsn;
  passed_ = kNoLsn;
  while (wish_.load(std::memory_order_acquire) == Wish::read) {
    const auto pause = backoff_.next(random_number());
    const auto until = Clock::now() + pause;
    while (Clock::now() < until && wish_.load() == Wish::read) {
      std::this_thread::sleep_for(
          std::min<Clock::duration>(until - Clock::now(), std::chrono::milliseconds(20)));
    }
    Status status = reopen();
    // A connection that was cut says nothing against the next one; a server that fails may again.
    if (status.ok() && cause.kind() == ErrorKind::connection) backoff_.reset();
    if (status.ok()) return ok_status();
    // A new session looks whether the slot may go on there.
    if (has_moved_ || retry_of(status.error()) == Retry::never) return status;
    if (backoff_.attempt() % 5 == 0)
      log_error(LogLevel::warn, "still not connected", status.error());
  }
  return ok_status();
}

Status Reader::reopen() {
  FRESHET_TRY(auto sql, pg::Connection::open(options_.connect));
  FRESHET_TRY(const source::SystemIdentity now, source::load_system_identity(*sql));
  has_moved_ = now.system_identifier == options_.slot.system_identifier &&
               options_.slot.timeline != kAnyTimeline && now.timeline != options_.slot.timeline;
  if (has_moved_) return Error{ErrorKind::busy, "the source is on a new timeline"};
  FRESHET_TRY(std::optional<source::SlotRow> row, source::find_slot(*sql, options_.slot.slot_name));
  FRESHET_TRY(source::check_identity({.stored = options_.slot,
                                      .now = now,
                                      .slot = std::move(row),
                                      .least_durable = Position{Lsn{acknowledged_.load()}}}));
  FRESHET_TRY(connection_, source::ReplicationConnection::open(options_.connect));
  FRESHET_TRY(connection_->start(options_.start));
  log_info("replication connection restored", {{"lsn", to_string(options_.start.start.end)}});
  last_feedback_ = {};
  return options_.on_reconnect ? options_.on_reconnect() : ok_status();
}

Status Reader::end_stream() {
  if (!connection_) return ok_status();
  last_feedback_ = {};
  owes_reply_ = true;
  FRESHET_TRY(give_feedback());
  FRESHET_TRY(connection_->stop());
  const auto deadline = Clock::now() + kEndTimeout;
  while (Clock::now() < deadline) {
    FRESHET_TRY(const source::StreamEvent event,
                connection_->receive({.wait_max = kUrgentInterval, .wake_fd = -1}));
    if (std::holds_alternative<source::Ended>(event)) break;
  }
  return ok_status();
}

void Reader::stop_reading() {
  auto expected = Wish::read;
  wish_.compare_exchange_strong(expected, Wish::drain);
  wake_.notify();
}

void Reader::finish() {
  wish_.store(Wish::finish, std::memory_order_release);
  wake_.notify();
  if (thread_.joinable()) thread_.join();
}

void Reader::abort() {
  wish_.store(Wish::abort, std::memory_order_release);
  wake_.notify();
  if (thread_.joinable()) thread_.join();
}

}  // namespace freshet
