#include "ops/check/bytea_check.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/sql_quote.h"
#include "base/try.h"
#include "ops/check/named_row.h"
#include "ops/check/sql.h"
#include "ops/check/table_list_json.h"
#include "pg/sqlstate.h"
#include "source/publication.h"

namespace freshet::ops {
namespace {

/// The server's buffers end one byte below 1 GiB; the rest of the row wants a little of that.
constexpr std::int64_t kTextBytesMax = (std::int64_t{1} << 30) - (std::int64_t{1} << 20);
/// Compressed at its best (lz4 comes to 1:255), a value of half of that is larger than this.
constexpr std::int64_t kStoredBytesMin = std::int64_t{1} << 20;
constexpr std::int64_t kMib = std::int64_t{1} << 20;

struct ByteaTable {
  TableName name;
  std::vector<std::string> columns;  // as SQL
};

/// Bytes, as text, of the bytea columns of the row where they are most. Nothing if the time that it
/// may take was up. The sizes are known without reading the values themselves.
Result<std::optional<std::int64_t>> largest_row(pg::Connection& source, const ByteaTable& table) {
  std::vector<std::string> sizes;
  for (const std::string& column : table.columns)
    sizes.push_back(fmt::format("2 * coalesce(octet_length({}), 0)::bigint", column));
  FRESHET_TRY(source.execute("BEGIN READ ONLY; SET LOCAL statement_timeout = '2s'"));
  const auto rows =
      source.query(fmt::format("SELECT coalesce(max({}), 0) FROM {}", fmt::join(sizes, " + "),
                               quote_identifier(table.name)));
  FRESHET_TRY(source.execute("ROLLBACK"));
  if (rows.ok()) return std::optional{rows->integer(0, 0)};
  if (rows.error().sqlstate() == pg::sqlstate::kQueryCanceled) return std::optional<std::int64_t>{};
  return rows.error();
}

void report(const ByteaTable& table, std::optional<std::int64_t> bytes, Findings& findings) {
  const std::string where = to_string(table.name);
  const std::string columns = fmt::format("{}", fmt::join(table.columns, ", "));
  if (!bytes) {
    findings.info(Area::tables, "bytea_size",
                  fmt::format("it has large values in {} (bytea); one above 511 MiB could not be "
                              "sent as text",
                              columns),
                  where, "source.binary: true, if there are such");
  } else if (*bytes > kTextBytesMax) {
    findings.warning(Area::tables, "bytea_size",
                     fmt::format("a row holds {} MiB in {} (bytea), which as text is more than the "
                                 "server can send: streaming would stop at such a row",
                                 *bytes / 2 / kMib, columns),
                     where, "source.binary: true");
  }
}

}  // namespace

Status report_large_bytea(pg::Connection& source,
                          const PipelineConfig& config,
                          Findings& findings) {
  if (config.source.is_binary) return ok_status();
  const std::string list = to_json(source::names_of(config.source.tables));
  FRESHET_TRY(const pg::Rows rows, source.query(sql::kSqlByteaColumns,
                                                std::array{std::optional<std::string_view>{list}}));
  for (int i = 0; i < rows.rows(); ++i) {
    const NamedRow row(rows, i);
    if (row.number("stored_bytes") < kStoredBytesMin) continue;
    const ByteaTable table{.name = {row.text("schema"), row.text("name")},
                           .columns = row.list("columns")};
    // Who may not read the table is told so by another check.
    if (auto bytes = largest_row(source, table); bytes.ok()) report(table, *bytes, findings);
  }
  return ok_status();
}

}  // namespace freshet::ops
