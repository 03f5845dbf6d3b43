#include "pipeline/schema_policy.h"

#include <memory>
#include <utility>

#include "base/try.h"

namespace freshet {
namespace {

/// The same column in another definition: by number where both know it, else by name.
const Column* find_same(const TableSchema& schema, const Column& column) {
  for (const Column& other : schema.columns) {
    if (other.is_derived != column.is_derived) continue;
    const bool has_numbers = other.attnum != 0 && column.attnum != 0;
    if (has_numbers ? other.attnum == column.attnum : other.name == column.name) return &other;
  }
  return nullptr;
}

bool is_same_type(const Column& a, const Column& b) {
  return a.type == b.type && a.typmod == b.typmod && (!a.is_derived || a.type_sql == b.type_sql);
}

void add_change(std::string& changes, const std::string& change) {
  changes += (changes.empty() ? "" : ", ") + change;
}

std::string describe_types(const TableSchema& from, const TableSchema& to) {
  std::string changes;
  for (const Column& before : from.columns) {
    const Column* const now = find_same(to, before);
    if (now == nullptr || is_same_type(before, *now)) continue;
    add_change(changes,
               "changed " + now->name + " from " + before.type_sql + " to " + now->type_sql);
  }
  return changes;
}

std::string describe_changes(const TableSchema& from, const TableSchema& to) {
  if (from.relation != to.relation) return "dropped and made again";
  std::string changes = describe_columns(from, to);
  if (const std::string types = describe_types(from, to); !types.empty())
    add_change(changes, types);
  if (from.identity != to.identity) add_change(changes, "another replica identity");
  return changes.empty() ? "its key, or its rows were rewritten" : changes;
}

}  // namespace

SchemaChanges policy_of(const SourceConfig& source, const TableConfig& table) {
  return table.schema_changes.value_or(source.schema_changes);
}

std::string describe_columns(const TableSchema& from, const TableSchema& to) {
  std::string changes;
  for (const Column& now : to.columns) {
    if (!now.is_derived && find_same(from, now) == nullptr)
      add_change(changes, "added " + now.name);
  }
  for (const Column& before : from.columns) {
    if (before.is_derived) continue;
    const Column* const now = find_same(to, before);
    if (now == nullptr) {
      add_change(changes, "dropped " + before.name);
    } else if (now->name != before.name) {
      add_change(changes, "renamed " + before.name + " to " + now->name);
    }
  }
  return changes;
}

std::string describe_ignored(const TableSchema& kept, const TableSchema& source) {
  const std::string changes = describe_columns(kept, source);
  return changes.empty() ? changes : "ignored: " + changes;
}

Error not_followed(const TableSchema& from, const TableSchema& to, std::string what) {
  return Error{ErrorKind::schema, std::move(what)}
      .with("table", to_string(to.name))
      .with("change", describe_changes(from, to))
      .fix("have it copied as it is now: freshet table resync PIPELINE " + to_string(to.name) +
           "; with `schema_changes: evolve` such changes are followed");
}

const Column* find_kept(const TableSchema& kept, const Column& column) {
  return find_same(kept, column);
}

Status check_kept(const TableSchema& kept, const TableSchema& input, const TableSchema& output) {
  const auto refuse = [&] {
    return not_followed(kept, output,
                        "the definition of a table changed in a way that cannot be ignored");
  };
  if (kept.relation != output.relation || kept.identity != output.identity) return refuse();
  for (const Column& now : output.columns) {
    const Column* const before = find_same(kept, now);
    if (before == nullptr || !is_same_type(*before, now)) return refuse();
  }
  if (kept.identity == ReplicaIdentity::full) return ok_status();
  for (const Column& before : kept.columns) {
    const Column* const now = find_same(input, before);
    const bool is_identity = now != nullptr && now->is_identity;
    if (is_identity != before.is_identity) return refuse();
    if (is_identity && now->name != before.name) return refuse();
  }
  return ok_status();
}

SchemaPtr keep_as_of(const TableSchema& kept, const TableSchema& output) {
  auto schema = std::make_shared<TableSchema>(kept);
  schema->version = output.version;
  schema->definition = output.definition;
  schema->files = output.files;
  return schema;
}

}  // namespace freshet
