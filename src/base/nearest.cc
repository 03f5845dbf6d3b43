// Optimal string alignment distance (Damerau-Levenshtein without repeated edits).
#include "base/nearest.h"

#include <algorithm>
#include <array>

namespace freshet {
namespace {

constexpr std::size_t kWordBytesMax = 64;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

unsigned edit_distance(std::string_view a, std::string_view b) {
  a = a.substr(0, kWordBytesMax);
  b = b.substr(0, kWordBytesMax);
  std::array<std::array<unsigned, kWordBytesMax + 1>, kWordBytesMax + 1> cost{};
  for (unsigned i = 0; i <= a.size(); ++i)
    cost[i][0] = i;
  for (unsigned j = 0; j <= b.size(); ++j)
    cost[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const unsigned substitution = lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1;
      cost[i][j] =
          std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + substitution});
      if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
          lower(a[i - 2]) == lower(b[j - 1])) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[a.size()][b.size()];
}

std::string_view find_nearest(std::string_view word, std::span<const std::string_view> candidates) {
  std::string_view best;
  // A third of the letters may differ: beyond that a guess misleads.
  unsigned best_distance = static_cast<unsigned>(std::max<std::size_t>(word.size(), 3) / 3 + 1);
  for (const std::string_view candidate : candidates) {
    const unsigned distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace freshet
