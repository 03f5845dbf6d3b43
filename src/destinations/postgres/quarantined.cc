#include "destinations/postgres/quarantined.h"

#include <array>
#include <string_view>

#include "base/try.h"
#include "destinations/postgres/sql.h"
#include "pg/array_literal.h"

namespace freshet::postgres {
namespace {

using Text = std::optional<std::string_view>;

/// The parameters that name pipeline, table and entry. Views into what it was made from.
struct FilterText {
  explicit FilterText(const QuarantineFilter& filter)
      : id(filter.id ? std::to_string(*filter.id) : ""),
        schema(filter.table ? Text{filter.table->schema} : Text{}),
        table(filter.table ? Text{filter.table->table} : Text{}) {}

  Text id_text() const { return id.empty() ? Text{} : Text{id}; }

  std::string id;
  Text schema;
  Text table;
};

std::vector<QuarantineEntry> read_entries(const pg::Rows& rows) {
  std::vector<QuarantineEntry> entries;
  for (int row = 0; row < rows.rows(); ++row) {
    entries.push_back({.id = rows.unsigned_integer(row, 0),
                       .table = {rows.string(row, 1), rows.string(row, 2)},
                       .op = rows.string(row, 3),
                       .keys = rows.string(row, 4),
                       .key_columns = rows.string(row, 5),
                       .before = rows.string(row, 6),
                       .after = rows.string(row, 7),
                       .unchanged = rows.string(row, 8),
                       .addressing = rows.string(row, 9),
                       .lsn = rows.lsn(row, 10),
                       .commit_lsn = rows.lsn(row, 11),
                       .xid = rows.string(row, 12),
                       .committed_at = rows.string(row, 13),
                       .sqlstate = rows.string(row, 14),
                       .constraint = rows.string(row, 15),
                       .message = rows.string(row, 16),
                       .quarantined_at = rows.string(row, 17)});
  }
  return entries;
}

}  // namespace

Result<bool> has_quarantine(pg::Connection& connection) {
  FRESHET_TRY(const pg::Rows rows,
              connection.query("SELECT to_regclass('freshet.quarantine') IS NOT NULL"));
  return rows.boolean(0, 0);
}

Result<std::vector<QuarantineSummary>> summarize_quarantine(pg::Connection& connection,
                                                            const std::string& pipeline,
                                                            const QuarantineFilter& filter) {
  const FilterText text(filter);
  FRESHET_TRY(const pg::Rows rows,
              connection.query(sql::kSqlQuarantineSummary, std::array{Text{pipeline}, text.schema,
                                                                      text.table, text.id_text()}));
  std::vector<QuarantineSummary> summaries;
  for (int row = 0; row < rows.rows(); ++row) {
    summaries.push_back({.table = {rows.string(row, 0), rows.string(row, 1)},
                         .sqlstate = rows.string(row, 2),
                         .constraint = rows.string(row, 3),
                         .message = rows.string(row, 4),
                         .count = rows.unsigned_integer(row, 5),
                         .oldest = rows.lsn(row, 6)});
  }
  return summaries;
}

Result<std::vector<QuarantineEntry>> load_quarantine(pg::Connection& connection,
                                                     const std::string& pipeline,
                                                     const QuarantineFilter& filter,
                                                     std::uint64_t limit) {
  const FilterText text(filter);
  const std::string most = std::to_string(limit);
  FRESHET_TRY(const pg::Rows rows,
              connection.query(
                  sql::kSqlQuarantinedEntries,
                  std::array{Text{pipeline}, text.schema, text.table, text.id_text(), Text{most}}));
  return read_entries(rows);
}

Result<std::vector<QuarantineEntry>> lock_entries(pg::Connection& connection,
                                                  const std::string& pipeline,
                                                  std::span<const std::uint64_t> ids) {
  const std::string list = pg::integer_array_literal(ids, [](std::uint64_t id) { return id; });
  FRESHET_TRY(const pg::Rows rows,
              connection.query(sql::kSqlLockedEntries, std::array{Text{pipeline}, Text{list}}));
  return read_entries(rows);
}

Status lock_pipeline(pg::Connection& connection, const std::string& pipeline) {
  auto locked = connection.query("SELECT FROM freshet.progress WHERE pipeline = $1 FOR UPDATE",
                                 std::array{Text{pipeline}});
  return locked.ok() ? ok_status() : Status{std::move(locked).error()};
}

Result<std::uint64_t> drop_quarantine(pg::Connection& connection,
                                      const std::string& pipeline,
                                      const QuarantineFilter& filter) {
  const FilterText text(filter);
  FRESHET_TRY(connection.execute("BEGIN"));
  FRESHET_TRY(lock_pipeline(connection, pipeline));
  FRESHET_TRY(const pg::Rows dropped,
              connection.query(sql::kSqlForgetQuarantined, std::array{Text{pipeline}, text.schema,
                                                                      text.table, text.id_text()}));
  FRESHET_TRY(connection.execute("COMMIT"));
  return dropped.affected();
}

}  // namespace freshet::postgres
