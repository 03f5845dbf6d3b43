#include "destinations/postgres/replay_chains.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "destinations/postgres/change_record.h"

namespace freshet::postgres {
namespace {

/// Sets of places that are merged until each is a chain; its least place names it.
class Sets {
 public:
  explicit Sets(std::size_t count) : parents_(count) {
    std::iota(parents_.begin(), parents_.end(), std::size_t{0});
  }

  std::size_t find(std::size_t place) {
    while (parents_[place] != place) {
      parents_[place] = parents_[parents_[place]];
      place = parents_[place];
    }
    return place;
  }

  void merge(std::size_t a, std::size_t b) {
    const auto [least, other] = std::minmax({find(a), find(b)});
    parents_[other] = least;
  }

 private:
  std::vector<std::size_t> parents_;
};

bool is_every_key(const QueuedChange& change) {
  return std::find(change.keys.begin(), change.keys.end(), kEveryKey) != change.keys.end();
}

}  // namespace

std::vector<ReplayChain> make_chains(const std::vector<QueuedChange>& queue) {
  Sets sets(queue.size());
  std::map<TableName, bool> is_tied;
  for (const QueuedChange& change : queue)
    is_tied[change.table] |= is_every_key(change);
  std::map<std::pair<TableName, std::string>, std::size_t> first_of_key;
  for (std::size_t place = 0; place < queue.size(); ++place) {
    const QueuedChange& change = queue[place];
    const auto tie = [&](const std::string& key) {
      const auto [first, is_new] = first_of_key.try_emplace({change.table, key}, place);
      if (!is_new) sets.merge(first->second, place);
    };
    if (is_tied[change.table]) tie(std::string{kEveryKey});
    for (const std::string& key : change.keys)
      tie(key);
  }
  std::map<std::size_t, ReplayChain> chains;
  for (std::size_t place = 0; place < queue.size(); ++place)
    chains[sets.find(place)].push_back(queue[place].id);
  std::vector<ReplayChain> ordered;
  for (auto& [first, chain] : chains)
    ordered.push_back(std::move(chain));
  return ordered;
}

}  // namespace freshet::postgres
