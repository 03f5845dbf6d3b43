#include "state/holder.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "freshet/state_store.h"

namespace freshet {
namespace {

std::int64_t unix_now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string read_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

}  // namespace

std::string process_start(long pid) {
  const std::string stat = read_line("/proc/" + std::to_string(pid) + "/stat");
  // The command's name may hold blanks and parentheses: fields count from the last ')'.
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream fields(stat.substr(name_end + 1));
  std::string field;
  constexpr int kStateField = 3;
  constexpr int kStartTimeField = 22;
  std::string state;
  for (int i = kStateField; i <= kStartTimeField; ++i) {
    if (!(fields >> field)) return {};
    if (i == kStateField) state = field;
  }
  // A zombie has ended: it only waits for its parent.
  if (state == "Z" || state == "X") return {};
  // The start time counts from the boot, so it repeats after one: the boot's id goes with it.
  return read_line("/proc/sys/kernel/random/boot_id") + "/" + field;
}

LeaseHolder lease_holder(const Holder& self) {
  return {.holder = self, .process_start = process_start(self.pid), .renewed_at_ms = unix_now_ms()};
}

bool is_alive(const LeaseHolder& holder, const std::string& this_host) {
  if (holder.holder.host == this_host) {
    const std::string start = process_start(holder.holder.pid);
    return !start.empty() && (holder.process_start.empty() || start == holder.process_start);
  }
  // A renewal in the future (clocks differ) counts as far away as one in the past.
  const std::int64_t age_ms = std::abs(unix_now_ms() - holder.renewed_at_ms);
  return std::chrono::milliseconds(age_ms) < kLeaseTimeout;
}

Error lease_held_error(const std::string& pipeline, const Holder& holder) {
  return Error{ErrorKind::lease_held, "another freshet runs this pipeline"}
      .with("pipeline", pipeline)
      .with("host", holder.host)
      .with("pid", std::to_string(holder.pid))
      .fix("stop process " + std::to_string(holder.pid) + " on host " + holder.host +
           ", or wait until it ends");
}

Error fenced_error(const Lease& lease) {
  return Error{ErrorKind::fenced,
               "the lease of this pipeline was taken over, released or forgotten"}
      .with("pipeline", lease.pipeline)
      .with("epoch", static_cast<unsigned long long>(lease.epoch));
}

std::uint64_t next_epoch(std::uint64_t last) {
  return std::max(last + 1, static_cast<std::uint64_t>(std::max<std::int64_t>(unix_now_ms(), 0)));
}

std::string this_host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  return name.data();
}

}  // namespace freshet
