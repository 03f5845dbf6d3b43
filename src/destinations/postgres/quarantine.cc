#include "destinations/postgres/quarantine.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "base/try.h"
#include "base/xxh64.h"
#include "destinations/postgres/change_record.h"
#include "destinations/postgres/sql.h"
#include "pg/array_literal.h"
#include "types/op_name.h"

namespace freshet::postgres {
namespace {

using Text = std::optional<std::string_view>;

std::uint64_t hash_of(std::string_view key) {
  return xxh64(key, 0);
}

}  // namespace

void Quarantine::Held::hold(std::string_view key) {
  is_every_key |= key == kEveryKey;
  keys.insert(hash_of(key));
}

Status Quarantine::load(pg::Connection& connection) {
  held_.clear();
  return read(connection, nullptr);
}

Status Quarantine::refresh(pg::Connection& connection, const TableName& table) {
  const auto known = held_.find(table);
  if (known == held_.end()) return ok_status();
  FRESHET_TRY(const pg::Rows rows,
              connection.query("SELECT count(*) FROM freshet.quarantine "
                               "WHERE pipeline = $1 AND schema = $2 AND \"table\" = $3",
                               std::array{Text{pipeline_}, Text{table.schema}, Text{table.table}}));
  if (rows.unsigned_integer(0, 0) == known->second.entries) return ok_status();
  held_.erase(known);
  return read(connection, &table);
}

Status Quarantine::read(pg::Connection& connection, const TableName* table) {
  const Text schema = table == nullptr ? Text{} : Text{table->schema};
  const Text name = table == nullptr ? Text{} : Text{table->table};
  FRESHET_TRY(const pg::Rows rows,
              connection.query(sql::kSqlHeldKeys, std::array{Text{pipeline_}, schema, name}));
  std::uint64_t last = 0;
  for (int row = 0; row < rows.rows(); ++row) {
    Held& held = held_[{rows.string(row, 1), rows.string(row, 2)}];
    const std::uint64_t id = rows.unsigned_integer(row, 0);
    held.entries += id == last ? 0 : 1;
    last = id;
    if (rows.is_null(row, 3)) continue;
    held.hold(rows.text(row, 3));
  }
  return ok_status();
}

bool Quarantine::concerns(std::span<const Run> runs, TargetCache& targets) const {
  if (held_.empty()) return false;
  return std::any_of(runs.begin(), runs.end(), [&](const Run& run) {
    if (!run.schema) {
      return std::any_of(run.truncated.begin(), run.truncated.end(),
                         [&](const SchemaPtr& schema) { return held_.contains(schema->name); });
    }
    if (!held_.contains(run.schema->name)) return false;
    const Target& target = targets.at(run.schema.get());
    return std::any_of(run.changes.begin(), run.changes.end(),
                       [&](const Change& change) { return holds(target, change); });
  });
}

bool Quarantine::holds(const Target& target, const Change& change) const {
  const auto found = held_.find(target.schema->name);
  if (found == held_.end()) return false;
  const Held& held = found->second;
  if (held.is_every_key) return true;
  // What was kept under another addressing may concern any row.
  const bool is_every_key = target.addressing == Addressing::ordered;
  if (is_every_key) return !held.keys.empty();
  const std::vector<std::string> keys = keys_of(target, change);
  return std::any_of(keys.begin(), keys.end(),
                     [&](const std::string& key) { return held.keys.contains(hash_of(key)); });
}

Status Quarantine::add(pg::Connection& connection,
                       const Target& target,
                       const Change& change,
                       const Error* reason) {
  const TableName& table = target.schema->name;
  const std::vector<std::string> keys = keys_of(target, change);
  FRESHET_TRY(const ChangeRecord record, record_of(target, change, keys));
  const std::string lsn = to_string(change.lsn);
  const std::string commit_lsn = to_string(change.id.commit);
  const TransactionInfo* const from = change.transaction;
  const std::string xid = from == nullptr ? "" : std::to_string(to_integer(from->xid));
  const std::string time = from == nullptr ? "" : std::to_string(to_integer(from->committed_at));
  const auto known = [](std::string_view text) { return text.empty() ? Text{} : Text{text}; };
  const std::string_view message = reason == nullptr ? "waits for an earlier change of its key"
                                                     : std::string_view{reason->message()};
  FRESHET_TRY(
      const pg::Rows added,
      connection.query(
          sql::kSqlQuarantineChange,
          std::array{Text{pipeline_}, Text{table.schema}, Text{table.table},
                     Text{to_string(change.op)}, Text{record.keys},
                     Text{to_string(target.addressing)}, Text{record.key_columns},
                     Text{record.before}, Text{record.after}, Text{record.unchanged}, Text{lsn},
                     Text{commit_lsn}, known(xid), known(time),
                     known(reason == nullptr ? "" : std::string_view{reason->sqlstate()}),
                     known(reason == nullptr ? "" : reason->find("constraint")), Text{message}}));
  Held& held = held_[table];
  held.entries += added.affected();
  for (const std::string& key : keys)
    held.hold(key);
  return ok_status();
}

Status Quarantine::drop(pg::Connection& connection, const TableName& table) {
  if (held_.erase(table) == 0) return ok_status();
  auto dropped =
      connection.query(sql::kSqlForgetQuarantined,
                       std::array{Text{pipeline_}, Text{table.schema}, Text{table.table}, Text{}});
  return dropped.ok() ? ok_status() : Status{std::move(dropped).error()};
}

Status Quarantine::hold_every_key(pg::Connection& connection, const TableName& table) {
  const auto known = held_.find(table);
  if (known == held_.end()) return ok_status();
  known->second.is_every_key = true;
  auto held = connection.query(
      "UPDATE freshet.quarantine SET keys = '[\"\\\\*\"]' "
      "WHERE pipeline = $1 AND schema = $2 AND \"table\" = $3",
      std::array{Text{pipeline_}, Text{table.schema}, Text{table.table}});
  return held.ok() ? ok_status() : Status{std::move(held).error()};
}

Status Quarantine::outdate(pg::Connection& connection,
                           const TableName& table,
                           const std::vector<std::string>& names) {
  if (names.empty() || !held_.contains(table)) return ok_status();
  const std::string list = pg::array_literal(names);
  auto outdated = connection.query(sql::kSqlOutdateQuarantined,
                                   std::array{Text{pipeline_}, Text{table.schema},
                                              Text{table.table}, Text{list}, Text{kOutdated}});
  return outdated.ok() ? ok_status() : Status{std::move(outdated).error()};
}

}  // namespace freshet::postgres
