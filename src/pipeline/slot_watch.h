// Looks at the slot now and then and says in the log when it is about to be lost. Outlives
// sessions: while a destination is away they come and go, and the slot keeps more and more WAL.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>

#include "freshet/result.h"
#include "pg/connection.h"
#include "pipeline/stats.h"
#include "source/slot.h"
#include "source/slot_forecast.h"

namespace freshet {

class SlotWatch {
 public:
  /// Asks the server; fails where that fails.
  Status look(pg::Connection& connection, const std::string& slot);
  /// As last seen; any thread.
  std::optional<SlotStats> stats() const;

 private:
  void take(const source::SlotRow& row);
  void tell(source::SlotDanger danger, const source::SlotRow& row) const;

  source::SlotForecast forecast_;  // look()'s thread alone
  mutable std::mutex mutex_;       // guards stats_
  std::optional<SlotStats> stats_;
};

}  // namespace freshet
