// One poll() on a socket that also ends on an interrupt or a wake-up.
#pragma once

#include <chrono>
#include <cstdint>

#include "pg/connection.h"
#include "pg/interrupter.h"

namespace freshet::pg {

enum class Woken : std::uint8_t { ready, timed_out, woken, interrupted, failed };

struct SocketWait {
  int socket = -1;  ///< -1: none.
  Ready ready = Ready::read;
  std::chrono::microseconds timeout{-1};  ///< Negative: without end.
  int wake_fd = -1;                       ///< -1: none.
};

/// `failed` leaves the reason in errno.
Woken wait_for(const SocketWait& wait, const Interrupter& interrupter);

}  // namespace freshet::pg
