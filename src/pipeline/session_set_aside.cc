// One table that cannot be replicated must not stop the others: it is set aside, and a new session
// goes on without it.
#include <algorithm>
#include <set>

#include "base/log.h"
#include "base/sql_quote.h"
#include "base/try.h"
#include "pipeline/session.h"

namespace freshet {

// The server names schema and table apart.
std::optional<TableName> Session::table_of(const Error& error) const {
  const std::string_view schema = error.find("schema");
  const std::string_view table = error.find("table");
  for (const auto& [name, plan] : plans_) {
    if (to_string(name) == table || (name.schema == schema && name.table == table)) return name;
  }
  return {};
}

// At the destination that the error names, or at all.
Status Session::set_aside(const TableName& table, const Error& error) {
  const std::string_view where = error.find("destination");
  const bool may_not_select = where.empty() && error.kind() == ErrorKind::permission;
  for (const DestinationConfig& destination : options_.config.destinations) {
    if (!where.empty() && destination.name != where) continue;
    options_.set_aside.insert_or_assign(
        {destination.name, table}, SetAside{.reason = error.describe(),
                                            .may_not_select = may_not_select,
                                            .is_tried = !may_not_select && is_to_resync(table)});
    FRESHET_TRY(options_.state.store_table(options_.lease, {.destination = destination.name,
                                                            .table = table,
                                                            .phase = TablePhase::errored,
                                                            .reason = error.describe()}));
  }
  log_error(LogLevel::error, "a table was set aside; the others go on", error);
  return ok_status();
}

// An update may bring a row into a filter that it was not in before. A large value that the update
// left alone is then nowhere but at the source. Not so where `copy_where` may keep the row out of
// the new copy: each such update would lead to one more.
bool Session::came_in_by_filter(const TableName& table, const Error& error) const {
  const TablePlan& plan = plans_.at(table);
  return is_filtered(plan) && plan.config.copy_where.empty() &&
         error.find("reason") == kLacksValues && !error.find("destination").empty();
}

// Such an update of a row that was not copied: it cannot be made whole here.
Error Session::naming_copy_condition(Error error) const {
  const std::optional<TableName> table = table_of(error);
  if (error.find("reason") != kLacksValues || !table) return error;
  const TablePlan& plan = plans_.at(*table);
  if (plan.config.copy_where.empty()) return error;
  std::string key;
  for (const Column& column : plan.catalog.schema.columns) {
    if (column.is_identity) key += (key.empty() ? "" : ", ") + column.name;
  }
  Error named{error.kind(),
              "an update leaves out a large value of a row that is not at the destination, as "
              "`copy_where` may have left it out of the copy"};
  named.add("key", key);
  for (const auto& [field, value] : error.context())
    named.add(field, value);
  return std::move(named)
      .sqlstate(error.sqlstate())
      .fix("ALTER TABLE " + quote_identifier(*table) +
           " REPLICA IDENTITY FULL at the source, or let copy_where take in what is still updated, "
           "then `freshet table resync`; or leave such updates out by on_conflict: skip");
}

bool Session::is_set_aside(const TableName& table) const {
  return std::any_of(options_.set_aside.begin(), options_.set_aside.end(),
                     [&](const auto& entry) { return entry.first.second == table; });
}

// Tables of which the destination lacks rows that updates come for, as far as is known.
std::set<TableName> Session::patchy_at(const DestinationConfig& destination) const {
  std::set<TableName> tables;
  for (const auto& [where, table] : options_.patchy) {
    if (where == destination.name) tables.insert(table);
  }
  // Its answer to a row that is missing must not come before ours.
  if (destination.on_conflict == OnConflict::error) return tables;
  for (const auto& [table, plan] : plans_) {
    if (plan.publication.filters_rows) tables.insert(table);
  }
  return tables;
}

// False if the error is not one table's, or nothing would be left to do.
Result<bool> Session::set_aside_culprit(const Error& error) {
  const bool is_tables = error.kind() == ErrorKind::data || error.kind() == ErrorKind::schema ||
                         error.kind() == ErrorKind::permission;
  const std::optional<TableName> table = is_tables ? table_of(error) : std::nullopt;
  if (!table) return false;
  const std::string_view destination = error.find("destination");
  if (error.find("reason") == kLacksValues && !destination.empty() &&
      options_.patchy.insert({std::string{destination}, *table}).second) {
    log_info(
        "an update leaves large values out of a row that is missing; such rows are read again",
        {{"destination", destination}, {"table", to_string(*table)}, {"lsn", error.find("lsn")}});
    return true;
  }
  if (came_in_by_filter(*table, error)) {
    log_error(LogLevel::warn,
              "a row came in by the filter without its large values; the table is copied again",
              error);
    options_.to_copy_again.insert({std::string{error.find("destination")}, *table});
    return true;
  }
  std::set<TableName> left_out{*table};
  for (const auto& [name, plan] : plans_) {
    if (is_paused(name)) left_out.insert(name);
  }
  for (const auto& [where, entry] : options_.set_aside)
    left_out.insert(where.second);
  if (left_out.size() >= plans_.size()) return false;
  FRESHET_TRY(set_aside(*table, error));
  return true;
}

bool Session::waits_to_be_readable(const TableName& table) const {
  const bool may_not_select =
      std::any_of(options_.set_aside.begin(), options_.set_aside.end(), [&](const auto& entry) {
        return entry.first.second == table && entry.second.may_not_select;
      });
  return may_not_select && !options_.taken_up.contains(table);
}

// Once for each time that the role is given the right: where that did not help, as it lacks the
// right to a function that a filter calls, all would be started again for ever.
void Session::take_up_again(const TableName& table, bool can_select) {
  if (!can_select) options_.taken_up.erase(table);
  if (!can_select || options_.taken_up.contains(table)) return;
  const auto released = std::erase_if(options_.set_aside, [&](const auto& entry) {
    return entry.first.second == table && entry.second.may_not_select;
  });
  if (released == 0) return;
  options_.taken_up.insert(table);
  log_info("the table can be read again", {{"table", to_string(table)}});
  wants_restart_ = true;
}

}  // namespace freshet
