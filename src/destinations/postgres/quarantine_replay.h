// Applies what waits in freshet.quarantine. May be done while the pipeline runs: each transaction
// takes the lock that the pipeline's commits take, and the writer looks what is left once it has
// it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "destinations/postgres/quarantined.h"

namespace freshet::postgres {

struct ReplayFailure {
  std::uint64_t id = 0;  ///< The entry that could not be applied; later ones of its key wait.
  TableName table;
  std::string sqlstate;
  std::string constraint;
  std::string message;
};

struct ReplayOutcome {
  std::uint64_t applied = 0;
  std::uint64_t left = 0;
  std::vector<ReplayFailure> failures;
};

/// Applies the entries in their order per key, as the writer would, and removes them in the same
/// transaction; a key's first failure ends that key. What one key needs another for is tried again
/// until nothing moves. An entry that is asked for by id must be the first of its key.
Result<ReplayOutcome> replay_quarantine(std::unique_ptr<pg::Connection> connection,
                                        const std::string& pipeline,
                                        const QuarantineFilter& filter);

}  // namespace freshet::postgres
