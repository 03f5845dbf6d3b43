// What `schema_changes` means to a session that begins: what changed while nobody looked.
#include <algorithm>
#include <memory>

#include "base/log.h"
#include "base/try.h"
#include "pipeline/schema_policy.h"
#include "pipeline/session.h"
#include "types/table_error.h"

namespace freshet {

Status Session::settle_policies() {
  for (auto& [name, plan] : plans_) {
    plan.schema_changes = policy_of(options_.config.source, plan.config);
    if (plan.schema_changes != SchemaChanges::ignore) continue;
    const SchemaPtr stored = any_stored_schema(name);
    // Who has it copied again wants it as it is now.
    if (stored && !is_to_resync(name)) {
      plan.kept = stored;
      continue;
    }
    FRESHET_TRY(const ShapePtr shape, make_copy_shape(plan));
    plan.kept = shape->output;
  }
  return ok_status();
}

// A halted table stays so when the process is started again, which decides nothing.
void Session::leave_halted(const Lane& lane, const DestinationState& state) {
  for (const TableRecord& record : state.tables) {
    const auto plan = plans_.find(record.name);
    if (record.phase != TablePhase::errored || plan == plans_.end() ||
        plan->second.schema_changes != SchemaChanges::halt || is_to_resync(record.name)) {
      continue;
    }
    const auto stored =
        std::find_if(stored_.tables.begin(), stored_.tables.end(), [&](const TableState& table) {
          return table.destination == lane.name() && table.table == record.name;
        });
    const bool has_reason = stored != stored_.tables.end();
    const auto [place, is_new] = options_.set_aside.try_emplace(
        {lane.name(), record.name}, SetAside{.reason = has_reason ? stored->reason : ""});
    if (!is_new) continue;
    log_warn(
        "the table stays set aside until `freshet table resync`, as `schema_changes: halt` says",
        {{"destination", lane.name()},
         {"table", to_string(record.name)},
         {"reason", place->second.reason}});
  }
}

std::string_view Session::ignored_changes(const Lane& lane, const TableName& table) const {
  for (const TableState& known : stored_.tables) {
    const bool is_it = known.destination == lane.name() && known.table == table;
    if (is_it && known.phase == TablePhase::streaming) return known.reason;
  }
  return {};
}

// Whether the table streams on, rather than being copied. Where no later session would see the
// cause of that again, it is recorded before a change is skipped.
Result<bool> Session::goes_on(Lane& lane,
                              const TablePlan& plan,
                              const SchemaPtr& known,
                              std::optional<TablePhase> recorded) {
  const TableName& name = plan.config.name;
  const bool has_streamed = recorded == TablePhase::streaming;
  if (!known) return has_streamed;
  const std::string_view ignored = ignored_changes(lane, name);
  const bool is_behind = has_streamed && !plan.kept && !ignored.empty();
  std::string_view reason;
  if (options_.to_copy_again.erase({lane.name(), name}) > 0)
    reason = "a row of it came in by the filter without its large values";
  if (recorded && is_to_resync(name)) reason = "an operator asked for it";
  if (is_behind) reason = "changes of its definition were ignored until now";
  // What is copied has the same columns for all.
  if (has_streamed && plan.kept && !is_same_shape(*known, *plan.kept))
    reason = "another destination had not come to its definition when changes began to be ignored";
  if (!reason.empty()) {
    log_info("copying the table again",
             {{"destination", lane.name()}, {"table", to_string(name)}, {"reason", reason}});
    FRESHET_TRY(empty(lane, known));
    return false;
  }
  lane.set_ignored(name, std::string{ignored});
  const TableSchema& now = plan.catalog.schema;
  if (known->relation == now.relation && !source::was_rewritten(*known, now)) return has_streamed;
  if (has_streamed && plan.schema_changes == SchemaChanges::halt) {
    return not_followed(*known, now, "a table was made anew or rewritten, where it is to halt");
  }
  log_warn("the table was made anew or rewritten", {{"table", to_string(name)}});
  // Before the position moves on without its rows: whoever reads both is not to take them for its.
  if (has_streamed) FRESHET_TRY(empty(lane, known));
  return false;
}

// Where the destination keeps no phases the state store has to know it by the time that the wish is
// forgotten: it is long before the copy begins.
Status Session::empty(Lane& lane, const SchemaPtr& known) {
  const TableName& table = known->name;
  Status emptied = naming(lane.destination().reset_table(known), table);
  if (!emptied.ok()) return std::move(emptied).error().with("destination", lane.name());
  return options_.state.store_table(
      options_.lease,
      {.destination = lane.name(), .table = table, .phase = TablePhase::pending, .reason = {}});
}

}  // namespace freshet
