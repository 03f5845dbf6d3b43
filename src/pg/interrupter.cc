#include "pg/interrupter.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

namespace freshet::pg {

Interrupter::Interrupter() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Interrupter::~Interrupter() {
  if (fd_ >= 0) close(fd_);
}

void Interrupter::trigger() noexcept {
  is_triggered_.store(true, std::memory_order_release);
  const std::uint64_t one = 1;
  // A full counter is readable already, and without a descriptor waits look at the flag.
  if (fd_ >= 0) [[maybe_unused]]
    const auto written = write(fd_, &one, sizeof one);
}

}  // namespace freshet::pg
