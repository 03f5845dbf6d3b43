// When a slot will be lost if nothing is acknowledged any more: by the room that the server's limit
// leaves, and the rate at which WAL is written. Pure: no clock, no I/O.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

#include "freshet/lsn.h"

namespace freshet::source {

/// One look at the slot and its server.
struct SlotLook {
  std::chrono::steady_clock::time_point at;
  Lsn written = kNoLsn;                        ///< The server's present WAL position.
  std::int64_t retained_wal_bytes = 0;         ///< What it keeps for the slot.
  std::optional<std::int64_t> safe_wal_bytes;  ///< Until the slot may be lost; nothing: no limit.
};

enum class SlotDanger : std::uint8_t { none, near, imminent };

/// Takes looks in the order of time. One thread.
class SlotForecast {
 public:
  /// The rate is taken over so long, or over the last two looks where those are further apart.
  static constexpr std::chrono::seconds kRateWindow{60};
  static constexpr std::chrono::minutes kNear{30};
  static constexpr std::chrono::minutes kImminent{5};

  /// Returns the danger where it changed with this look.
  std::optional<SlotDanger> look(const SlotLook& look);
  /// The slot is another one, or none.
  void forget();

  SlotDanger danger() const noexcept { return danger_; }

  /// Nothing if there is no limit, or nobody writes. Days at most.
  std::optional<std::chrono::seconds> time_left() const;

 private:
  double rate() const;
  std::optional<std::chrono::seconds> time_left_at(double bytes_per_second) const;
  SlotDanger judge() const;
  bool is_under(SlotDanger danger, std::chrono::seconds limit) const;

  std::deque<SlotLook> looks_;
  SlotDanger danger_ = SlotDanger::none;
  double worst_rate_ = 0;  // while in danger
};

}  // namespace freshet::source
