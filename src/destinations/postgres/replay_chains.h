// Which entries of a quarantine must be replayed one after the other. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "freshet/schema.h"

namespace freshet::postgres {

struct QueuedChange {
  std::uint64_t id = 0;
  TableName table;
  std::vector<std::string> keys;
};

/// Changes that are tied by keys, directly or through others, in the order of their ids. One that
/// moves a row ties two keys; one without keys stands alone.
using ReplayChain = std::vector<std::uint64_t>;

/// `queue` is ordered by id; the chains are, by their first id.
std::vector<ReplayChain> make_chains(const std::vector<QueuedChange>& queue);

}  // namespace freshet::postgres
