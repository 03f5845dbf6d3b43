#include "source/table_watch.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "base/try.h"
#include "source/array_literal.h"
#include "source/sql/sql.h"

namespace freshet::source {
namespace {

using Parameter = std::optional<std::string_view>;

std::string_view cut(std::string_view& text, char end) {
  const std::string_view head = text.substr(0, text.find(end));
  text.remove_prefix(std::min(head.size() + 1, text.size()));
  return head;
}

std::uint32_t number_of(std::string_view text) {
  std::uint32_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::map<std::uint32_t, WatchedHeap> read_heaps(std::string_view text) {
  std::map<std::uint32_t, WatchedHeap> heaps;
  while (!text.empty()) {
    std::string_view entry = cut(text, ' ');
    WatchedHeap& heap = heaps[number_of(cut(entry, ':'))];
    heap.relfilenode = number_of(cut(entry, ':'));
    heap.was_attached = entry.find('a') != std::string_view::npos;
    heap.is_unanalysed = entry.find('t') != std::string_view::npos;
  }
  return heaps;
}

// A heap of another file than before: rewritten, or emptied.
std::optional<std::string> changed_heaps(const WatchedTable& before, const WatchedTable& now) {
  const bool is_partitioned = !now.heaps.contains(to_integer(now.relation));
  for (const auto& [oid, heap] : now.heaps) {
    const auto then = before.heaps.find(oid);
    if (then == before.heaps.end()) {
      if (heap.was_attached) return "a table became a partition of it";
      continue;
    }
    if (then->second.relfilenode == heap.relfilenode) continue;
    if (now.definition != before.definition) return "its rows were rewritten";
    // A table's own TRUNCATE is streamed; a partition's is not where its root stands for it.
    if (is_partitioned && heap.is_unanalysed) return "a partition of it was truncated";
  }
  return {};
}

}  // namespace

Result<std::vector<WatchedTable>> look_at_tables(pg::Connection& connection,
                                                 std::span<const TableName> tables,
                                                 std::span<const std::string> publications) {
  std::vector<std::string> schemas;
  std::vector<std::string> names;
  for (const TableName& table : tables) {
    schemas.push_back(table.schema);
    names.push_back(table.table);
  }
  const std::string schema_list = array_literal(schemas);
  const std::string name_list = array_literal(names);
  const std::string publication_list = array_literal(publications);
  const std::array<Parameter, 3> parameters{schema_list, name_list, publication_list};
  FRESHET_TRY(const pg::Rows rows, connection.query(sql::kSqlWatch, parameters));
  std::vector<WatchedTable> watched;
  for (int row = 0; row < rows.rows(); ++row) {
    WatchedTable& table = watched.emplace_back();
    if (rows.is_null(row, 0)) continue;
    table.relation = Oid{static_cast<std::uint32_t>(rows.unsigned_integer(row, 0))};
    table.is_published = rows.boolean(row, 1);
    table.definition = rows.string(row, 2);
    table.columns = rows.string(row, 3);
    table.numbers = rows.string(row, 4);
    if (!rows.is_null(row, 5)) table.heaps = read_heaps(rows.text(row, 5));
  }
  return watched;
}

std::optional<TableNews> compare(const WatchedTable& before, const WatchedTable& now) {
  using Kind = TableNews::Kind;
  if (now.relation == Oid{0}) return TableNews{Kind::gone, "the table was dropped or renamed"};
  if (before.is_published && !now.is_published) {
    return TableNews{Kind::unpublished, "the table is not in the publication any more"};
  }
  if (now.relation != before.relation) {
    return TableNews{Kind::changed, "the table was dropped and made again"};
  }
  if (now.columns == before.columns && now.numbers != before.numbers) {
    return TableNews{Kind::changed, "a column was dropped and made again"};
  }
  if (auto what = changed_heaps(before, now)) return TableNews{Kind::changed, *std::move(what)};
  for (const auto& [oid, heap] : before.heaps) {
    if (!now.heaps.contains(oid)) {
      return TableNews{Kind::kept_rows, "a partition was dropped or detached with its rows"};
    }
  }
  return {};
}

}  // namespace freshet::source
