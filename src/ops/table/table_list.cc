#include "ops/table/table_list.h"

#include <algorithm>
#include <set>
#include <string_view>

#include <fmt/format.h>

namespace freshet::ops {
namespace {

std::string_view describe(TableWish wish) {
  switch (wish) {
    case TableWish::paused:
      return ", to be paused";
    case TableWish::resync:
      return ", to be copied again";
  }
  return "";
}

std::string_view describe(const std::optional<TableWish>& wish) {
  return wish ? describe(*wish) : std::string_view{};
}

}  // namespace

std::optional<TableWish> waiting_wish(const StoredPipeline& stored, const TableState& table) {
  for (const WishedTable& wished : stored.wishes) {
    if (wished.table != table.table) continue;
    const bool is_granted = wished.wish == TableWish::paused && table.phase == TablePhase::paused;
    if (!is_granted) return wished.wish;
  }
  return {};
}

std::string describe_table(const StoredPipeline& stored, const TableState& table) {
  return fmt::format("{} → {}: {}{}{}", to_string(table.table), table.destination,
                     to_string(table.phase), table.reason.empty() ? "" : " (" + table.reason + ")",
                     describe(waiting_wish(stored, table)));
}

std::vector<std::string> list_tables(const StoredPipeline& stored,
                                     std::span<const TableName> configured) {
  std::vector<TableState> tables = stored.tables;
  std::sort(tables.begin(), tables.end(), [](const TableState& a, const TableState& b) {
    return std::tie(a.table, a.destination) < std::tie(b.table, b.destination);
  });
  std::set<TableName> begun;
  std::vector<std::string> lines;
  for (const TableState& table : tables) {
    begun.insert(table.table);
    lines.push_back(describe_table(stored, table));
  }
  for (const TableName& name : configured) {
    if (!begun.insert(name).second) continue;
    const TableState state{.destination = {}, .table = name, .phase = {}, .reason = {}};
    lines.push_back(
        fmt::format("{}: not begun{}", to_string(name), describe(waiting_wish(stored, state))));
  }
  return lines;
}

}  // namespace freshet::ops
