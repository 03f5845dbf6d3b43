// A running pipeline: source, tables, transforms and destinations wired together.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>

#include "freshet/config.h"
#include "freshet/result.h"
#include "pipeline/stats.h"

namespace freshet {

/// When `run` ends by itself.
struct Until {
  enum class Kind : unsigned char { stopped, caught_up, lsn };
  Kind kind = Kind::stopped;
  Lsn lsn = kNoLsn;  ///< For Kind::lsn: ends once every destination is durable up to it.
};

/// Runs one pipeline. run() is called once, from one thread; stats() from any thread at any time.
class Pipeline {
 public:
  /// Checks nothing and connects to nothing yet. The transaction with that commit LSN is left out,
  /// if one is given.
  static Result<std::unique_ptr<Pipeline>> make(PipelineConfig config, Lsn skipped_commit = kNoLsn);
  virtual ~Pipeline() = default;
  /// Copies, then streams, until `until` or a stop request (then flushes and returns success), or
  /// an error that trying again cannot mend (see base/error_policy.h).
  virtual Status run(std::stop_token stop, Until until) = 0;
  virtual PipelineStats stats() const = 0;
};

}  // namespace freshet
