// Row filters that the publication does not evaluate for us: every change is turned into what the
// destination must do, given that it holds the matching rows only.
#include <optional>

#include "base/try.h"
#include "pipeline/lane.h"
#include "types/whole_row.h"

namespace freshet {
namespace {

using source::Match;

// The rows of a change that the filter must judge, and where their answers will stand.
struct Judged {
  std::optional<std::size_t> before;
  std::optional<std::size_t> after;
};

Error unknown_match(const TableName& table, const Change& change) {
  return Error{
      ErrorKind::unsupported,
      "the row filter uses a large value that the update did not send, and the row cannot be "
      "read again"}
      .with("table", to_string(table))
      .with("lsn", to_string(change.lsn))
      .with("commit_lsn", to_string(change.id.commit))
      .fix("ALTER TABLE ... REPLICA IDENTITY FULL, or filter on a column that is not TOASTed");
}

// Under FULL both rows can be judged; else the old one is unknown, and the destination may or may
// not hold it.
void translate(const Change& change,
               bool is_match,
               std::optional<bool> was_match,
               Arena& arena,
               std::vector<Change>& out) {
  switch (change.op) {
    case Op::insert:
    case Op::upsert:
      if (is_match) out.push_back(change);
      return;
    case Op::remove:
      if (was_match.value_or(true)) out.push_back(change);
      return;
    case Op::update:
      break;
  }
  if (was_match.has_value()) {
    if (*was_match && is_match) out.push_back(change);
    if (*was_match && !is_match) out.push_back(as_removal(change));
    if (!*was_match && is_match) out.push_back(as_insert(change, arena));
    return;
  }
  if (!is_match) {
    out.push_back(as_removal(change));
    return;
  }
  if (!change.before.empty() && has_unchanged(change.after)) {
    // The old row has what was not sent, if it is there.
    out.push_back(change);
    return;
  }
  if (!change.before.empty()) out.push_back(as_removal(change));
  out.push_back(as_upsert(change));
}

}  // namespace

Status Lane::filter_rows(const Shape& shape, const TablePlan& plan, std::span<Change>& changes) {
  std::vector<RowView> rows;
  std::vector<Judged> judged(changes.size());
  for (std::size_t i = 0; i < changes.size(); ++i) {
    if (changes[i].old_row == OldRow::full) {
      judged[i].before = rows.size();
      rows.push_back(changes[i].before);
    }
    if (!changes[i].after.empty()) {
      judged[i].after = rows.size();
      rows.push_back(fill_unchanged(changes[i], {}, group_.arena()));
    }
  }
  FRESHET_TRY(const std::vector<Match> matches, around_.resolver.filter(shape, plan, rows));
  std::vector<Lacking> unknown;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    if (!judged[i].after || matches[*judged[i].after] != Match::unknown) continue;
    unknown.push_back({.change = i, .row = rows[*judged[i].after], .left = changes[i].before});
  }
  if (!unknown.empty()) {
    FRESHET_TRY(const bool is_filled, fill_in(shape, plan, unknown, changes));
    if (is_filled) return filter_rows(shape, plan, changes);
    return unknown_match(plan.config.name, changes[unknown.front().change]);
  }
  std::vector<Change> kept;
  kept.reserve(changes.size());
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const Match after = judged[i].after ? matches[*judged[i].after] : Match::no;
    std::optional<bool> was_match;
    if (judged[i].before) was_match = matches[*judged[i].before] == Match::yes;
    translate(changes[i], after == Match::yes, was_match, group_.arena(), kept);
  }
  const std::span<Change> result = group_.arena().array<Change>(kept.size());
  std::copy(kept.begin(), kept.end(), result.begin());
  changes = result;
  return ok_status();
}

}  // namespace freshet
