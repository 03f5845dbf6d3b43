// Values that were not sent (unchanged TOAST), where the destination has no row that holds them:
// they are read again at the source, by the row's key. ARCHITECTURE.md tells why that is right.
#include <algorithm>

#include "base/log.h"
#include "base/try.h"
#include "pipeline/lane.h"
#include "source/snapshot_copy.h"
#include "types/primary_key.h"
#include "types/table_error.h"
#include "types/whole_row.h"

namespace freshet {
namespace {

// The large values of so many rows that are read again are in memory at once.
constexpr std::size_t kLackingAtOnce = 100;

std::string key_bytes(RowView row, std::span<const std::uint16_t> key) {
  std::string bytes;
  for (const std::uint16_t column : key) {
    bytes += std::to_string(row[column].size);
    bytes += ':';
    bytes += row[column].view();
  }
  return bytes;
}

// Only then does the server leave values out of an insert: it made that of an update.
bool is_filtered_by_server(const TablePlan& plan) {
  return is_filtered(plan) && !plan.publication.filters_rows;
}

// Where the destination has the columns `key` of streamed rows; nothing where it may have other
// values there, or equal values that differ in bytes.
std::optional<std::vector<std::uint16_t>> key_there(const Shape& shape,
                                                    const TablePlan& plan,
                                                    std::span<const std::uint16_t> key) {
  std::vector<std::uint16_t> places;
  for (const std::uint16_t column : key) {
    const auto kept = std::find(shape.kept.begin(), shape.kept.end(), int{column});
    if (!shape.kept.empty() && kept == shape.kept.end()) return {};
    const auto projected = shape.kept.empty() ? std::size_t{column}
                                              : static_cast<std::size_t>(kept - shape.kept.begin());
    const Column& known = shape.projected->columns[projected];
    const int place = shape.output->find(known.name);
    if (place < 0 || !known.is_byte_comparable || plan.masked.contains(known.name)) return {};
    places.push_back(static_cast<std::uint16_t>(place));
  }
  return places;
}

bool is_about_the_table(const Error& error) {
  return source::is_changed_table(error) || error.kind() == ErrorKind::data ||
         error.kind() == ErrorKind::unsupported || error.sqlstate().starts_with("4288");
}

}  // namespace

// Rows of the table may be missing at the destination, which may have an answer of its own to that
// (on_conflict): it must not come before ours.
bool Lane::is_patchy(const TableName& table) const {
  return patchy_.contains(table) || (has_conflict_policy_ && in_hand_.commit < reread_upto_);
}

bool Lane::may_lack_values(const TablePlan& plan) const {
  return in_hand_.commit < reread_upto_ || is_patchy(plan.config.name) ||
         is_filtered_by_server(plan);
}

// How many of the changes are to be looked at together: as long as few of them lack values.
std::size_t Lane::count_at_once(const TablePlan& plan, std::span<const Change> changes) const {
  if (!may_lack_values(plan) && !plan.publication.filters_rows) return changes.size();
  std::size_t lacking = 0;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const bool may_lack = changes[i].op != Op::insert || is_filtered(plan);
    if (!may_lack || !has_unchanged(changes[i].after)) continue;
    if (++lacking == kLackingAtOnce) return i + 1;
  }
  return changes.size();
}

// Changes that lack values which the destination does not have, or may have wrong: what is read
// again can be newer than the stream, even than the rest of its transaction, and be of another row
// that has taken the key.
Result<std::vector<Lane::Lacking>> Lane::find_lacking(const Shape& shape,
                                                      const TablePlan& plan,
                                                      std::span<const Change> changes) {
  std::vector<Lacking> lacking;
  std::vector<Lacking> asked;
  const bool has_gaps = is_patchy(plan.config.name);
  const std::vector<std::uint16_t> key = identity_columns(*shape.input);
  const auto there = has_gaps ? key_there(shape, plan, key) : std::nullopt;
  const bool is_emptied = has_gaps && group_.truncates(plan.config.name);
  std::set<std::string>& gone = gone_[plan.config.name];
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const Change& change = changes[i];
    const bool is_insert = change.op == Op::insert;
    if (!has_gaps && (is_insert ? !is_filtered_by_server(plan) : change.before.empty())) continue;
    Lacking found{.change = i, .row = {}, .left = {}};
    if (!change.after.empty()) found.row = fill_unchanged(change, key, group_.arena());
    const bool has_left =
        !change.before.empty() &&
        (change.after.empty() || key_bytes(change.before, key) != key_bytes(found.row, key));
    if (has_left) found.left = change.before;
    // In binary form nothing is read again, so that nothing can be wrong.
    if (has_unchanged(found.row) && (is_insert || !has_binary(found.row))) {
      const RowView holder = has_left ? found.left : found.row;
      const bool is_behind = in_hand_.commit < reread_upto_ || !lacking.empty() || !asked.empty();
      const bool may_be_wrong = has_left && is_behind;
      const bool may_be_gone =
          has_gaps && (!there || is_emptied || gone.contains(key_bytes(holder, key)));
      if (is_insert || may_be_wrong || may_be_gone) {
        lacking.push_back(found);
      } else if (has_gaps) {
        asked.push_back(found);
      }
    }
    if (has_left && there) gone.insert(key_bytes(found.left, key));
  }
  if (!asked.empty()) FRESHET_TRY(ask(shape, key, *there, asked, lacking));
  return lacking;
}

// Adds those whose rows the destination lacks.
Status Lane::ask(const Shape& shape,
                 std::span<const std::uint16_t> key,
                 std::span<const std::uint16_t> there,
                 std::span<Lacking> asked,
                 std::vector<Lacking>& lacking) {
  std::vector<RowView> rows;
  for (const Lacking& one : asked) {
    const RowView holder = one.left.empty() ? one.row : one.left;
    const std::span<Value> row = group_.arena().array<Value>(shape.output->columns.size());
    for (std::size_t i = 0; i < key.size(); ++i)
      row[there[i]] = holder[key[i]];
    rows.push_back(row);
  }
  FRESHET_TRY(const std::vector<bool> is_missing, destination_->find_missing(shape.output, rows));
  for (std::size_t i = 0; i < asked.size(); ++i) {
    if (is_missing[i]) lacking.push_back(asked[i]);
  }
  return ok_status();
}

Result<bool> Lane::complete_rows(const Shape& shape,
                                 const TablePlan& plan,
                                 std::span<Change>& changes) {
  if (!may_lack_values(plan) || shape.input->identity == ReplicaIdentity::full) return true;
  FRESHET_TRY(const std::vector<Lacking> lacking, find_lacking(shape, plan, changes));
  if (lacking.empty()) return true;
  FRESHET_TRY(const bool is_filled, fill_in(shape, plan, lacking, changes));
  if (is_filled) return true;
  if (!is_filtered(plan) || !plan.config.copy_where.empty()) {
    return Error{ErrorKind::data, "a row came without its large values, and cannot be read again"}
        .with("table", to_string(plan.config.name))
        .with("commit_lsn", to_string(in_hand_.commit))
        .with("reason", kLacksValues);
  }
  FRESHET_TRY(
      copy_again(plan.config.name, "a row of it came in by the filter without its large values"));
  return false;
}

// Gives changes the values that they lack, as the source has them now. What took away a row that is
// gone there is yet to be streamed, so that nothing of it need come before. False where the rows
// cannot be read again.
Result<bool> Lane::fill_in(const Shape& shape,
                           const TablePlan& plan,
                           std::span<const Lacking> lacking,
                           std::span<Change>& changes) {
  std::vector<RowView> rows;
  std::vector<Committed> transactions;  // what was held is of many
  for (const Lacking& one : lacking) {
    rows.push_back(one.row);
    const Committed of = committed_of(*changes[one.change].transaction);
    if (transactions.empty() || transactions.back().commit != of.commit) transactions.push_back(of);
  }
  auto read = around_.resolver.reread(
      {.schema = shape.input, .is_partitioned = plan.catalog.kind == 'p', .rows = rows},
      transactions, group_.arena());
  if (!read.ok()) {
    const Error error = naming(std::move(read).error(), plan.config.name);
    if (!is_about_the_table(error)) return error;
    log_error(LogLevel::warn, "rows cannot be read again for values that were not sent", error);
    return false;
  }
  reread_upto_ = std::max(reread_upto_, read->read_upto);
  group_.count_bytes(read->bytes);
  std::vector<bool> is_dropped(changes.size());
  for (std::size_t i = 0; i < lacking.size(); ++i) {
    Change& change = changes[lacking[i].change];
    const RowView found = read->rows[i];
    if (!found.empty()) {
      change.after = found;
    } else if (!lacking[i].left.empty()) {
      change = as_removal(change);
    } else {
      is_dropped[lacking[i].change] = true;
    }
  }
  std::size_t kept = 0;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    if (!is_dropped[i]) changes[kept++] = changes[i];
  }
  changes = changes.first(kept);
  log_debug("rows were read again for values that were not sent",
            {{"destination", name_},
             {"table", to_string(plan.config.name)},
             {"rows", lacking.size()},
             {"gone", is_dropped.size() - kept},
             {"lsn", to_string(in_hand_.commit)}});
  return true;
}

}  // namespace freshet
