#include "state/holder.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <tuple>

#include "freshet/state_store.h"

namespace freshet {
namespace {

std::string read_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// Within one place a pid names one process at a time. Hosts may share a name, containers of one
// host too; a boot's id is that of one machine, and a container has a pid namespace of its own.
std::string place_of_processes() {
  std::array<char, 64> space{};
  std::ignore = readlink("/proc/self/ns/pid", space.data(), space.size() - 1);
  return read_line("/proc/sys/kernel/random/boot_id") + "/" + space.data();
}

// When the running process `pid` began, in ticks since the boot. Empty if there is none.
std::string start_time(long pid) {
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
  return field;
}

std::string name_of_process(long pid) {
  return place_of_processes() + "/" + start_time(pid);
}

}  // namespace

std::int64_t unix_now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

LeaseHolder lease_holder(const Holder& self) {
  return {.holder = self, .process = name_of_process(self.pid), .renewed_at_ms = unix_now_ms()};
}

bool is_alive(const LeaseHolder& holder, const std::string& this_host, std::int64_t now_ms) {
  const bool is_visible =
      holder.holder.host == this_host && holder.process.starts_with(place_of_processes() + "/");
  if (is_visible) {
    return !start_time(holder.holder.pid).empty() &&
           name_of_process(holder.holder.pid) == holder.process;
  }
  // A renewal in the future (clocks differ) counts as far away as one in the past.
  const std::int64_t age_ms = std::abs(now_ms - holder.renewed_at_ms);
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
