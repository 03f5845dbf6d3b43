#include "pipeline/slot_watch.h"

#include <algorithm>

#include "base/log.h"
#include "base/try.h"

namespace freshet {
namespace {

constexpr const char* kNear =
    "the slot will be lost within half an hour if nothing more is acknowledged; see "
    "max_slot_wal_keep_size of the source";
constexpr const char* kImminent =
    "the slot is about to be lost, as nothing is acknowledged: mend what holds the pipeline up, or "
    "raise max_slot_wal_keep_size of the source";

}  // namespace

Status SlotWatch::look(pg::Connection& connection, const std::string& slot) {
  FRESHET_TRY(const std::optional<source::SlotRow> row, source::find_slot(connection, slot));
  // What is lost already is the session's business.
  const bool is_there = row && row->restart != kNoLsn && row->wal_status != source::WalStatus::lost;
  if (is_there) {
    take(*row);
    return ok_status();
  }
  forecast_.forget();
  const std::lock_guard lock(mutex_);
  stats_.reset();
  return ok_status();
}

void SlotWatch::take(const source::SlotRow& row) {
  const auto retained =
      static_cast<std::uint64_t>(std::max<std::int64_t>(0, row.retained_wal_bytes));
  const auto danger = forecast_.look({.at = std::chrono::steady_clock::now(),
                                      .written = Lsn{to_integer(row.restart) + retained},
                                      .retained_wal_bytes = row.retained_wal_bytes,
                                      .safe_wal_bytes = row.safe_wal_bytes});
  if (danger) tell(*danger, row);
  const std::lock_guard lock(mutex_);
  stats_ = SlotStats{.retained_wal_bytes = retained,
                     .safe_wal_bytes = row.safe_wal_bytes,
                     .time_left = forecast_.time_left()};
}

void SlotWatch::tell(source::SlotDanger danger, const source::SlotRow& row) const {
  const auto left = forecast_.time_left();
  using Minutes = std::chrono::duration<double, std::ratio<60>>;
  const std::string minutes = left ? fmt::format("{:.1f}", Minutes(*left).count()) : "unknown";
  const auto log_it = [&](LogLevel level, const char* message) {
    log(level, message,
        {{"slot", row.name},
         {"minutes_left", minutes},
         {"retained_wal_bytes", row.retained_wal_bytes},
         {"safe_wal_bytes",
          row.safe_wal_bytes ? fmt::format("{}", *row.safe_wal_bytes) : "unlimited"}});
  };
  switch (danger) {
    case source::SlotDanger::none:
      log_it(LogLevel::info, "the slot is out of danger");
      break;
    case source::SlotDanger::near:
      log_it(LogLevel::warn, kNear);
      break;
    case source::SlotDanger::imminent:
      log_it(LogLevel::error, kImminent);
      break;
  }
}

std::optional<SlotStats> SlotWatch::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

}  // namespace freshet
