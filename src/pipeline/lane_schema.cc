// The lane's part in changes of definition: followed, ignored or refused, as the table's policy
// says.
#include <algorithm>

#include "base/log.h"
#include "base/try.h"
#include "pipeline/lane.h"
#include "pipeline/schema_policy.h"
#include "source/captured_definition.h"
#include "types/table_error.h"

namespace freshet {

// A table that is not ours may be one of ours under another name.
Status Lane::check_unknown(const TableSchema& schema) const {
  for (const auto& [name, current] : current_) {
    if (!current || current->relation != schema.relation) continue;
    return Error{ErrorKind::gap, "a table was renamed; its changes come under another name"}
        .with("table", to_string(name))
        .with("now", to_string(schema.name))
        .fix("give the new name under source.tables; the table is then copied under it");
  }
  return ok_status();
}

// A definition that was captured in the stream is followed where it stands, whether or not a row
// comes: what a later session starts from is then exact.
Status Lane::route_definition(const Item& item,
                              const TransactionInfo& transaction,
                              std::map<const TableSchema*, Verdict>& verdicts) {
  const SchemaPtr& schema = item.schema;
  const auto plan = around_.plans.find(schema->name);
  if (plan == around_.plans.end()) {
    tell_new_name(item);
    return ok_status();
  }
  // What of it is published, only a Relation message tells.
  if (!plan->second.publication.columns.empty()) return ok_status();
  FRESHET_TRY(const Verdict verdict, verdict_of(schema, verdicts));
  switch (verdict) {
    case Verdict::apply: {
      auto followed = follow_schema(schema);
      return followed.ok() ? ok_status() : Status{std::move(followed).error()};
    }
    case Verdict::hold:
      return spool_of(schema->name).append_definition(schema, transaction);
    case Verdict::by_key: {
      FRESHET_TRY(const ShapePtr shape, shape_of(schema));
      const TableSchema& current = *current_[schema->name];
      const bool is_same = shape->is_certain && is_same_shape(current, *shape->output) &&
                           !source::was_rewritten(current, *shape->output);
      return is_same ? ok_status() : begin_chunks_again(schema->name);
    }
    case Verdict::skip:
      break;
  }
  return ok_status();
}

// What comes of it is told by the rows that follow, or by the catalogue: it may get its old name
// back.
void Lane::tell_new_name(const Item& item) const {
  for (const auto& [name, current] : current_) {
    if (!current || current->relation != item.schema->relation) continue;
    log_warn("a table was renamed at the source", {{"destination", name_},
                                                   {"table", to_string(name)},
                                                   {"now", to_string(item.schema->name)},
                                                   {"lsn", to_string(item.lsn)}});
  }
}

// Tables come up for the first time all together after a start: with thousands of them, asking one
// by one takes many seconds. What is wrong with one of them is told by its own turn. So is what
// depends on what comes before: a later version of a table, or one that is still being copied.
void Lane::look_up_ahead(std::span<const LaneItem> items) {
  std::vector<SchemaResolver::Question> questions;
  std::set<TableName> tables;
  for (const LaneItem& item : items) {
    if (!item.transaction || item.transaction->info().end_lsn <= position_.end) continue;
    for (const SchemaPtr& schema : item.transaction->schemas()) {
      if (schema == last_looked_up_) continue;
      last_looked_up_ = schema;
      if (!looked_up_.insert(schema).second || !tables.insert(schema->name).second) continue;
      const auto current = current_.find(schema->name);
      if (current == current_.end() || !is_streaming(schema->name)) continue;
      questions.push_back(
          {{schema, followed(schema->name)}, committed_of(item.transaction->info())});
    }
  }
  if (questions.size() < 2) return;
  const auto shapes = around_.resolver.look_up(questions);
  if (!shapes.ok()) {
    log_error(LogLevel::debug, "the tables could not be looked up ahead", shapes.error());
    return;
  }
  for (std::size_t i = 0; i < questions.size(); ++i)
    shapes_.emplace(questions[i].table.streamed, (*shapes)[i]);
}

// Each lane asks for itself: what was announced is known by what the lane had before.
Result<ShapePtr> Lane::shape_of(const SchemaPtr& streamed) {
  auto known = shapes_.find(streamed);
  if (known == shapes_.end()) {
    const SchemaResolver::Question question{{streamed, followed(streamed->name)}, in_hand_};
    FRESHET_TRY(const auto shapes, around_.resolver.look_up({&question, 1}));
    known = shapes_.emplace(streamed, shapes.front()).first;
  }
  const ShapePtr& shape = known->second;
  if (shape && (shape->is_certain || !source::is_hearsay(*streamed))) return shape;
  return unchanged_shape(current_[streamed->name], !shape);
}

// A column that the stream has brought for long, but that had no name of those that are wanted.
bool Lane::takes_in_column(const Shape& shape) const {
  const TableName& table = shape.input->name;
  const SchemaPtr& current = current_.at(table);
  if (!around_.plans.at(table).publication.filters_columns || !current) return false;
  const SchemaPtr previous = followed(table);
  return std::any_of(
      shape.read->columns.begin(), shape.read->columns.end(), [&](const Column& column) {
        return source::find_number(*current, column.attnum) == nullptr &&
               (!previous || source::find_number(*previous, column.attnum) != nullptr);
      });
}

bool Lane::is_streaming(const TableName& table) const {
  const std::lock_guard lock(around_.router_mutex);
  return router_.knows(table) && router_.phase(table) == TablePhase::streaming;
}

// Looks the shape up, and lets the destination's table follow it first where it changed. Null if
// the table's copy began again instead.
Result<ShapePtr> Lane::follow_schema(const SchemaPtr& streamed) {
  SchemaPtr& current = current_[streamed->name];
  auto resolved = shape_of(streamed);
  if (!resolved.ok()) return stop_before(std::move(resolved).error());
  ShapePtr shape = std::move(resolved).value();
  if (current == shape->output && shape->is_certain) return shape;
  const TablePlan& plan = around_.plans.at(streamed->name);
  const bool is_other = current && current->relation != shape->output->relation;
  const bool is_rewritten = current && source::was_rewritten(*current, *shape->output);
  const bool is_changed =
      current && (!is_same_shape(*current, *shape->output) || !shape->is_certain);
  if (plan.schema_changes == SchemaChanges::halt && (is_other || is_rewritten || is_changed)) {
    return stop_before(not_followed(*current, *shape->output,
                                    "the definition of a table changed at the source, where it "
                                    "is to halt"));
  }
  if (is_other || is_rewritten) {
    FRESHET_TRY(copy_again(streamed->name, is_other ? "it was dropped and made again"
                                                    : "its rows were rewritten at the source"));
    return ShapePtr{};
  }
  if (is_changed) {
    const std::string_view reason = cannot_evolve(*streamed, *shape);
    if (!reason.empty()) {
      FRESHET_TRY(copy_again(streamed->name, reason));
      return ShapePtr{};
    }
  }
  if (plan.kept) {
    if (current) FRESHET_TRY(ignore_changes(plan, *shape));
  } else if (is_changed) {
    Status evolved = evolve(streamed->name, shape->output);
    if (!evolved.ok() && evolved.error().kind() == ErrorKind::schema &&
        evolved.error().find("reason") != kDependedOn) {
      log_error(LogLevel::warn, "a changed definition cannot be followed", evolved.error());
      FRESHET_TRY(copy_again(streamed->name, "its definition cannot be followed"));
      return ShapePtr{};
    }
    FRESHET_TRY(std::move(evolved));
  }
  set_followed(shape->output, shape->input);
  return shape;
}

// Why the rows that are there cannot stay; empty if they can.
std::string_view Lane::cannot_evolve(const TableSchema& streamed, const Shape& shape) const {
  if (!shape.is_certain)
    return "its columns were changed so often, or side by side, that they cannot be told apart";
  if (takes_in_column(shape)) return "a column that was left out has a name that is wanted now";
  const TableSchema& current = *current_.at(streamed.name);
  const bool may_lack_values = !is_captured(streamed) && !around_.plans.at(streamed.name).kept &&
                               source::has_column_made_again(current, *shape.output);
  return may_lack_values ? source::kColumnMadeAgain : std::string_view{};
}

// Whole transactions that came before are not left out with the table.
Error Lane::stop_before(Error error) {
  if (error.kind() != ErrorKind::schema) return error;
  if (!is_in_parts_) {
    group_.drop_runs(runs_complete_);
    Status flushed = flush_complete();
    if (!flushed.ok()) return std::move(flushed).error();
  }
  return std::move(error).with("lsn", to_string(in_hand_.commit));
}

// The destination's table stays as it is. What it lacks is kept in mind, for the day that changes
// are to be followed.
Status Lane::ignore_changes(const TablePlan& plan, const Shape& shape) {
  const TableName& table = plan.config.name;
  FRESHET_TRY(store_schema(*keep_as_of(*plan.kept, *shape.output)));
  std::string ignored = describe_ignored(*plan.kept, *shape.input);
  if (ignored_[table] == ignored) return ok_status();
  if (!ignored.empty()) {
    log_warn("a table's definition changed, and is not followed",
             {{"destination", name_}, {"table", to_string(table)}, {"change", ignored}});
  }
  ignored_[table] = std::move(ignored);
  return store_streaming(table);
}

Status Lane::store_streaming(const TableName& table) {
  return around_.state.store_table(around_.lease, {.destination = name_,
                                                   .table = table,
                                                   .phase = TablePhase::streaming,
                                                   .reason = ignored_[table]});
}

Status Lane::store_schema(const TableSchema& schema) {
  return around_.state.store_schema(around_.lease, {.destination = name_, .schema = schema});
}

Status Lane::evolve(const TableName& name, const SchemaPtr& to) {
  // What came before must be written under the old shape.
  const bool is_between_transactions = !is_in_parts_ && runs_complete_ == group_.runs().size();
  FRESHET_TRY(is_between_transactions ? flush_complete() : flush_part());
  const SchemaPtr from = current_.at(name);
  FRESHET_TRY(naming(destination_->evolve(from, to), name));
  log_info("table definition followed",
           {{"destination", name_}, {"table", to_string(name)}, {"columns", to->columns.size()}});
  evolved_.push_back(to);
  return ok_status();
}

}  // namespace freshet
