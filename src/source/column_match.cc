#include "source/column_match.h"

#include <algorithm>
#include <cstddef>
#include <map>

#include "source/catalog_rows.h"

namespace freshet::source {
namespace {

std::vector<const Column*> columns_of(const ColumnList& list) {
  std::vector<const Column*> columns;
  for (const CatalogColumn& entry : list.columns)
    columns.push_back(&entry.column);
  return columns;
}

/// A number that an announced column may have.
struct Candidate {
  std::int16_t number = 0;
  const Column* before = nullptr;  // as previously announced
  const Column* now = nullptr;     // as the catalogue has it
  bool is_optional = false;        // it may have been dropped by then, or be left out
  bool is_since = false;           // made since: not there yet, or there with all before it
  bool needs_name = false;
};

int likeness(const Column* known, const Column& announced) {
  constexpr int kSame = 4;
  if (known == nullptr) return 0;
  if (is_same_column(*known, announced)) return kSame;
  return known->name == announced.name || known->type == announced.type ? 1 : 0;
}

int likeness(const Candidate& candidate, const Column& announced) {
  return std::max(likeness(candidate.before, announced), likeness(candidate.now, announced));
}

std::vector<Candidate> list_candidates(const TableSchema* previous, const ColumnList& present) {
  std::map<std::int16_t, Candidate> by_number;
  std::int16_t last = 0;
  if (previous != nullptr) {
    for (const Column& column : previous->columns) {
      if (column.is_derived || column.attnum <= 0) continue;
      by_number[column.attnum].before = &column;
      last = std::max(last, column.attnum);
    }
  }
  for (int number = last + 1; number <= present.highest; ++number)
    by_number[static_cast<std::int16_t>(number)];
  for (const auto& [column, is_generated] : present.columns) {
    Candidate& candidate = by_number[column.attnum];
    candidate.now = &column;
    candidate.needs_name = is_generated || (candidate.before == nullptr && column.attnum < last);
  }
  std::vector<Candidate> candidates;
  for (auto& [number, candidate] : by_number) {
    candidate.number = number;
    candidate.is_optional = previous == nullptr || candidate.now == nullptr || candidate.needs_name;
    candidate.is_since = !candidate.is_optional && candidate.before == nullptr;
    candidates.push_back(candidate);
  }
  return candidates;
}

/// The ways to number the first columns with the first candidates: how well the best of them do,
/// and how many those are (2: or more).
struct Ways {
  int likeness = -1;  // there is none
  int count = 0;
  bool takes_last = false;  // the best, where it is one

  void consider(const Ways& rest, int more, bool takes) {
    if (rest.count == 0 || rest.likeness + more < likeness) return;
    if (rest.likeness + more > likeness) *this = {rest.likeness + more, 0, takes};
    count = std::min(count + rest.count, 2);
  }
};

class Matching {
 public:
  Matching(const TableSchema& announced, std::vector<Candidate> candidates)
      : announced_(announced),
        candidates_(std::move(candidates)),
        width_(announced.columns.size() + 1),
        ways_((candidates_.size() + 1) * width_) {
    at(0, 0) = {.likeness = 0, .count = 1};
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      for (std::size_t taken = 0; taken < width_; ++taken)
        step(i, taken);
    }
  }

  std::vector<MatchedColumn> result() {
    std::size_t taken = announced_.columns.size();
    if (at(candidates_.size(), taken).count != 1) return {};
    std::vector<MatchedColumn> matched(taken);
    for (std::size_t i = candidates_.size(); i > 0; --i) {
      if (!at(i, taken).takes_last) continue;
      --taken;
      const Column& column = announced_.columns[taken];
      const auto& [number, before, now, is_optional, is_since, needs_name] = candidates_[i - 1];
      const bool is_as_before = before != nullptr && is_same_column(*before, column);
      const bool is_as_now = now != nullptr && is_same_column(*now, column);
      const bool takes_now = is_as_now || (now != nullptr && !is_as_before);
      matched[taken] = {number, takes_now ? now : before, is_as_before, is_as_now};
    }
    return matched;
  }

 private:
  Ways& at(std::size_t candidates, std::size_t taken) { return ways_[candidates * width_ + taken]; }

  void step(std::size_t i, std::size_t taken) {
    const Candidate& candidate = candidates_[i];
    Ways& ways = at(i + 1, taken);
    const bool is_over = taken + 1 == width_;
    if (candidate.is_optional || (candidate.is_since && is_over))
      ways.consider(at(i, taken), 0, false);
    if (taken == 0) return;
    const Column& column = announced_.columns[taken - 1];
    const bool fits = !candidate.needs_name || is_same_column(*candidate.now, column);
    if (fits) ways.consider(at(i, taken - 1), likeness(candidate, column), true);
  }

  const TableSchema& announced_;
  const std::vector<Candidate> candidates_;
  const std::size_t width_;
  std::vector<Ways> ways_;
};

}  // namespace

std::vector<MatchedColumn> match_columns(const TableSchema& announced,
                                         const TableSchema* previous,
                                         const ColumnList& present) {
  auto matched = Matching(announced, list_candidates(previous, present)).result();
  const bool is_plain = std::all_of(matched.begin(), matched.end(), [](const MatchedColumn& one) {
    return one.is_as_before || one.is_as_now;
  });
  // As a publication leaves out others by now than before.
  if (!is_plain && !match_in_order(announced, columns_of(present)).empty()) return {};
  return matched;
}

}  // namespace freshet::source
