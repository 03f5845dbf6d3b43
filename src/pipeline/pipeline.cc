// Supervision: one lease, and sessions one after another until one ends well or nothing can help.
#include "pipeline/pipeline.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include "base/backoff.h"
#include "base/error_policy.h"
#include "base/log.h"
#include "base/try.h"
#include "pipeline/lease_renewal.h"
#include "pipeline/session.h"
#include "pipeline/skipped_commit.h"
#include "pipeline/slot_watch.h"
#include "pipeline/transform_set.h"
#include "state/holder.h"
#include "state/open.h"

namespace freshet {
namespace {

// How long a second freshet waits for the first to let go of the pipeline or its slot.
constexpr std::chrono::seconds kTakeOverWait{30};
constexpr std::chrono::milliseconds kTakeOverPoll{250};

// A session that wants another one so soon may want it for what that one wants again.
constexpr std::chrono::seconds kBriefSession{2};

using Clock = std::chrono::steady_clock;

std::chrono::milliseconds left_of(std::chrono::seconds time, Clock::time_point since) {
  return std::chrono::ceil<std::chrono::milliseconds>(since + time - Clock::now());
}

// True if the time passed without a stop request.
bool pause(const std::stop_token& stop, std::chrono::milliseconds time) {
  const auto until = Clock::now() + time;
  while (!stop.stop_requested() && Clock::now() < until) {
    std::this_thread::sleep_for(
        std::min<Clock::duration>(until - Clock::now(), std::chrono::milliseconds(20)));
  }
  return !stop.stop_requested();
}

// Where spilled transactions and the like go: beside the state where that is a file.
std::string local_directory(const PipelineConfig& config) {
  auto path = state_path(config.state, config.pipeline);
  if (!path.ok()) path = default_state_path(config.pipeline);
  const auto parent = std::filesystem::path(path.ok() ? *path : std::string{}).parent_path();
  return parent.empty() ? "." : parent.string();
}

// How long a session that asks for another one has it wait: the first one not at all, nor one that
// was followed for a while. What asks for the same again at once must not keep the source and the
// other tables busy.
class RestartPace {
 public:
  std::chrono::milliseconds next(Clock::duration lived, std::uint64_t random) {
    const bool follows_brief = std::exchange(is_brief_, lived < kBriefSession);
    if (!is_brief_) backoff_.reset();
    return is_brief_ && follows_brief ? backoff_.next(random) : std::chrono::milliseconds{};
  }

 private:
  Backoff backoff_{std::chrono::milliseconds(100), std::chrono::seconds(10)};
  bool is_brief_ = false;  // the session before
};

class SupervisedPipeline final : public Pipeline {
 public:
  SupervisedPipeline(PipelineConfig config, Lsn skipped_commit)
      : config_(std::move(config)), skipped_(skipped_commit) {}

  Status run(std::stop_token stop, Until until) override {
    FRESHET_TRY(state_, open_state_store(config_.state, config_.pipeline));
    const std::string directory = local_directory(config_);
    FRESHET_TRY(auto transforms, TransformSet::make(config_, directory));
    {
      const std::lock_guard lock(mutex_);
      transforms_ = std::move(transforms);
    }
    FRESHET_TRY(const Lease lease, acquire(stop));
    Status status = supervise(
        {.lease = lease, .spill_directory = directory + "/spill", .stop = stop, .until = until});
    if (skipped_.is_awaited()) {
      log_warn("no transaction with that commit LSN came; nothing was left out",
               {{"commit_lsn", to_string(skipped_.commit_lsn())}});
    }
    if (const Status released = state_->release(lease); !released.ok() && status.ok())
      return released;
    return status;
  }

  PipelineStats stats() const override {
    PipelineStats stats;
    stats.pipeline = config_.pipeline;
    const std::lock_guard lock(mutex_);
    stats.slot = slot_watch_.stats();
    if (transforms_) stats.texts_embedded = transforms_->texts_embedded();
    if (session_) session_->add_stats(stats);
    return stats;
  }

 private:
  struct Run {
    const Lease& lease;
    std::string spill_directory;
    const std::stop_token& stop;
    const Until& until;
  };

  Result<Lease> acquire(const std::stop_token& stop) {
    const Holder self{.host = this_host_name(), .pid = static_cast<long>(::getpid())};
    const auto deadline = Clock::now() + kTakeOverWait;
    bool has_told = false;
    while (true) {
      auto lease = state_->acquire(config_.pipeline, self);
      const bool is_held = !lease.ok() && lease.error().kind() == ErrorKind::lease_held;
      if (!is_held || Clock::now() >= deadline) return lease;
      if (!has_told)
        log_error(LogLevel::warn, "waiting up to 30 s for the pipeline", lease.error());
      has_told = true;
      if (!pause(stop, kTakeOverPoll))
        return Error{ErrorKind::cancelled, "stopped while waiting for the pipeline"};
    }
  }

  Status supervise(const Run& run) {
    const LeaseRenewal renewal(*state_, run.lease);
    Backoff backoff(std::chrono::milliseconds(100), std::chrono::seconds(30));
    RestartPace restarts;
    std::mt19937_64 random(std::random_device{}());
    bool has_streamed = false;
    const auto started = Clock::now();
    while (true) {
      if (Status renewed = renewal.status(); is_final(renewed)) return renewed;
      const auto began = Clock::now();
      const std::size_t set_aside = set_aside_.size();
      swap_session(make_session(run, renewal));
      Status status = session_->run(run.stop, run.until);
      if (session_->has_streamed()) backoff.reset();
      has_streamed = has_streamed || session_->has_streamed();
      if (status.ok() && session_->wants_restart()) {
        if (set_aside_.size() > set_aside) continue;  // many tables may go so, each only once
        if (!pause(run.stop, restarts.next(Clock::now() - began, random()))) return status;
        continue;
      }
      if (status.ok()) return status;
      if (run.stop.stop_requested()) return stopped_at(std::move(status), has_streamed);
      if (!is_worth_retrying(status.error(), has_streamed, Clock::now() - started)) return status;
      auto wait = backoff.next(random());
      if (!has_streamed)
        wait = std::clamp<std::chrono::milliseconds>(left_of(kTakeOverWait, started), {}, wait);
      log_error(LogLevel::warn, "pipeline interrupted, starting it again", status.error());
      if (!pause(run.stop, wait)) return ok_status();
    }
  }

  // Somebody's stop may come while a session begins that would only have been tried again.
  static Status stopped_at(Status status, bool has_streamed) {
    if (!has_streamed || is_final(status)) return status;
    log_error(LogLevel::warn, "stopped while something was out of reach", status.error());
    return ok_status();
  }

  std::unique_ptr<Session> make_session(const Run& run, const LeaseRenewal& renewal) {
    return std::make_unique<Session>(Session::Options{.config = config_,
                                                      .state = *state_,
                                                      .lease = run.lease,
                                                      .renewal = renewal,
                                                      .transforms = *transforms_,
                                                      .set_aside = set_aside_,
                                                      .taken_up = taken_up_,
                                                      .to_copy_again = to_copy_again_,
                                                      .patchy = patchy_,
                                                      .slot_losses = slot_losses_,
                                                      .slot_watch = slot_watch_,
                                                      .skipped = skipped_,
                                                      .stream = stream_,
                                                      .spill_directory = run.spill_directory});
  }

  // Before anything has been streamed an error is most likely a mistake in the configuration: say
  // so at once. But a slot or a busy server may still belong to the freshet that ran before this
  // one, and a server that says itself why it ends a connection is on its way up or down.
  static bool is_worth_retrying(const Error& error,
                                bool has_streamed,
                                Clock::duration since_start) {
    // Nobody asked it to stop, and nothing says what broke it off.
    const bool is_unexplained = error.kind() == ErrorKind::cancelled;
    const bool is_passing = has_streamed && may_pass(error);
    if (retry_of(error) == Retry::never && !is_unexplained && !is_passing) return false;
    if (has_streamed) return true;
    const bool is_out_of_reach = error.kind() == ErrorKind::connection && error.sqlstate().empty();
    return !is_out_of_reach && since_start < kTakeOverWait;
  }

  void swap_session(std::unique_ptr<Session> session) {
    const std::lock_guard lock(mutex_);
    session_ = std::move(session);
  }

  PipelineConfig config_;
  std::unique_ptr<StateStore> state_;
  SetAsideTables set_aside_;
  ReadableTables taken_up_;
  TablesToCopyAgain to_copy_again_;
  PatchyTables patchy_;
  StreamMemory stream_;
  unsigned slot_losses_ = 0;
  SlotWatch slot_watch_;
  SkippedCommit skipped_;
  mutable std::mutex mutex_;  // guards the two pointers below against stats()
  std::unique_ptr<TransformSet> transforms_;
  std::unique_ptr<Session> session_;
};

}  // namespace

Result<std::unique_ptr<Pipeline>> Pipeline::make(PipelineConfig config, Lsn skipped_commit) {
  if (config.destinations.empty()) {
    return Error{ErrorKind::config, "no destination"}.fix(
        "name one under destinations, or with --to");
  }
  return std::unique_ptr<Pipeline>(
      std::make_unique<SupervisedPipeline>(std::move(config), skipped_commit));
}

}  // namespace freshet
