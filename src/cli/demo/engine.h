// The freshet process that the demo runs and watches: the real binary with a real pipeline file.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "freshet/result.h"

namespace freshet {

class Engine {
 public:
  struct Options {
    std::string config_file;
    std::string report_file;  ///< Where it leaves its final statistics as JSON.
    bool is_plain = false;
  };

  /// Starts `freshet run` with this program's own binary.
  static Result<std::unique_ptr<Engine>> start(const Options& options);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// An error once the process has ended by itself.
  Status check();
  /// Peak resident memory so far, in KiB.
  std::uint64_t peak_kib() const;
  /// Stops it in good order (SIGTERM) and waits.
  Status stop();

 private:
  explicit Engine(pid_t pid) : pid_(pid) {}

  pid_t pid_;
};

}  // namespace freshet
