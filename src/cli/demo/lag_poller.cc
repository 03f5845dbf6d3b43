#include "cli/demo/lag_poller.h"

#include <algorithm>
#include <optional>

#include "base/try.h"

namespace freshet {
namespace {

constexpr std::chrono::microseconds kPause{500};

LagFigures figures_of(std::vector<double> lags) {
  LagFigures figures;
  figures.transactions = lags.size();
  if (lags.empty()) return figures;
  std::sort(lags.begin(), lags.end());
  const auto at = [&](double share) {
    return lags[static_cast<std::size_t>(share * static_cast<double>(lags.size() - 1))];
  };
  figures.p50_ms = at(0.5);
  figures.p99_ms = at(0.99);
  figures.max_ms = lags.back();
  return figures;
}

std::string array_of_xids(const std::vector<CommittedStep>& committed,
                          std::size_t first,
                          std::size_t count) {
  std::string xids = "{";
  for (std::size_t i = first; i < first + count; ++i) {
    if (i > first) xids += ',';
    xids += committed[i].xid;
  }
  return xids + "}";
}

}  // namespace

Status LagPoller::start() {
  FRESHET_TRY(auto connection,
              pg::Connection::open({.url = url_, .application_name = "demo lag poller"}));
  thread_ = std::jthread([this, held = std::move(connection)](const std::stop_token& stop) mutable {
    run(std::move(held), stop);
  });
  return ok_status();
}

void LagPoller::run(std::unique_ptr<pg::Connection> connection, const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    if (Status status = look(*connection); !status.ok()) {
      const std::lock_guard lock(mutex_);
      status_ = std::move(status);
      return;
    }
    std::this_thread::sleep_for(kPause);
  }
}

Status LagPoller::look(pg::Connection& connection) {
  FRESHET_TRY(const pg::Rows rows,
              connection.query("SELECT id, steps FROM public.agent_runs WHERE id <= 4"));
  const auto now = Clock::now();
  const std::lock_guard lock(mutex_);
  for (int row = 0; row < rows.rows(); ++row) {
    const auto client = static_cast<std::size_t>(rows.integer(row, 0) - 1);
    if (client >= kClients) continue;
    const std::uint64_t step = rows.unsigned_integer(row, 1);
    std::vector<Sighting>& seen = seen_[client];
    if (step > 0 && (seen.empty() || seen.back().step < step)) seen.push_back({step, now});
  }
  return ok_status();
}

void LagPoller::stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

bool LagPoller::has_seen(const std::array<std::uint64_t, kClients>& steps) const {
  const std::lock_guard lock(mutex_);
  for (std::size_t client = 0; client < kClients; ++client) {
    if (steps[client] > 0 && (seen_[client].empty() || seen_[client].back().step < steps[client]))
      return false;
  }
  return true;
}

std::vector<LagPoller::Sighting> LagPoller::sightings(std::uint32_t client) const {
  const std::lock_guard lock(mutex_);
  return seen_.at(client - 1);
}

Status LagPoller::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

Result<LagFigures> measure_lag(pg::Connection& source,
                               const std::vector<CommittedStep>& committed,
                               const LagPoller& poller) {
  std::array<std::vector<LagPoller::Sighting>, kClients> sightings;
  for (std::uint32_t client = 1; client <= kClients; ++client)
    sightings[client - 1] = poller.sightings(client);
  std::vector<double> lags;
  constexpr std::size_t kBatch = 5000;
  for (std::size_t first = 0; first < committed.size(); first += kBatch) {
    const std::size_t count = std::min(kBatch, committed.size() - first);
    const std::string xids = array_of_xids(committed, first, count);
    const std::array<std::optional<std::string_view>, 1> parameters{xids};
    FRESHET_TRY(
        const pg::Rows rows,
        source.query(
            "SELECT (extract(epoch FROM pg_catalog.pg_xact_commit_timestamp(x::text::xid)) * "
            "1000000)::bigint FROM unnest($1::bigint[]) WITH ORDINALITY AS u(x, n) ORDER BY n",
            parameters));
    for (std::size_t i = 0; i < count; ++i) {
      const CommittedStep& transaction = committed[first + i];
      const auto& seen = sightings[transaction.client - 1];
      const auto sighting = std::lower_bound(
          seen.begin(), seen.end(), transaction.step,
          [](const LagPoller::Sighting& a, std::uint64_t step) { return a.step < step; });
      if (sighting == seen.end())
        return Error{ErrorKind::internal, "a transaction was never seen at the destination"};
      const auto at =
          std::chrono::duration_cast<std::chrono::microseconds>(sighting->at.time_since_epoch())
              .count();
      lags.push_back(static_cast<double>(at - rows.integer(static_cast<int>(i), 0)) / 1000.0);
    }
  }
  return figures_of(std::move(lags));
}

}  // namespace freshet
