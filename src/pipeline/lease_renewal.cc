#include "pipeline/lease_renewal.h"

#include <chrono>

#include <pthread.h>

#include "base/error_policy.h"

namespace freshet {
namespace {

constexpr std::chrono::milliseconds kInterval{3000};
constexpr std::chrono::milliseconds kRetryInterval{500};

}  // namespace

LeaseRenewal::LeaseRenewal(StateStore& state, const Lease& lease)
    : state_(state), lease_(lease), thread_([this](const std::stop_token& stop) { run(stop); }) {}

Status LeaseRenewal::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

void LeaseRenewal::run(const std::stop_token& stop) {
  ::pthread_setname_np(::pthread_self(), "lease");
  while (!stop.stop_requested()) {
    const Status renewed = state_.renew(lease_);
    if (is_final(renewed)) {
      const std::lock_guard lock(mutex_);
      status_ = renewed;
      return;
    }
    std::unique_lock lock(mutex_);
    status_ = renewed;
    stopping_.wait_for(lock, stop, renewed.ok() ? kInterval : kRetryInterval, [] { return false; });
  }
}

}  // namespace freshet
