// Reads what table_facts.sql returns.
#include <nlohmann/json.hpp>

#include "base/try.h"
#include "ops/check/named_row.h"
#include "ops/check/sql.h"
#include "ops/check/table_check.h"
#include "ops/check/table_list_json.h"

namespace freshet::ops {
namespace {

char letter(const std::string& text) {
  return text.empty() ? '\0' : text[0];
}

std::vector<LeafFacts> read_leaves(const std::string& text) {
  std::vector<LeafFacts> leaves;
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_array()) return leaves;
  for (const auto& item : json) {
    leaves.push_back({.table = item.value("table", ""),
                      .kind = letter(item.value("kind", "r")),
                      .persistence = letter(item.value("persistence", "p")),
                      .identity = letter(item.value("identity", "d")),
                      .has_identity_index = item.value("has_identity_index", false)});
  }
  return leaves;
}

TableFacts read_facts(const NamedRow& row) {
  TableFacts facts;
  facts.name = {row.text("schema"), row.text("name")};
  facts.has_schema = row.flag("has_schema");
  facts.is_found = row.flag("is_found");
  facts.can_use_schema = row.flag("can_use_schema");
  facts.can_select = row.flag("can_select");
  facts.is_owner = row.flag("is_owner");
  facts.kind = letter(row.text("kind"));
  facts.persistence = letter(row.text("persistence"));
  facts.identity = letter(row.text("identity"));
  facts.is_partition = row.flag("is_partition");
  facts.has_row_security = row.flag("has_row_security");
  facts.has_identity_index = row.flag("has_identity_index");
  facts.unique_index = row.text("unique_index");
  facts.columns = row.list("columns");
  facts.generated_columns = row.list("generated_columns");
  facts.readable_columns = row.list("readable_columns");
  facts.identity_columns = row.list("identity_columns");
  facts.nondeterministic_columns = row.list("nondeterministic_columns");
  facts.leaves = read_leaves(row.text("leaves"));
  facts.child_count = row.number("child_count");
  return facts;
}

}  // namespace

Result<std::vector<TableFacts>> load_table_facts(pg::Connection& connection,
                                                 const std::vector<TableConfig>& tables) {
  std::vector<TableName> names;
  for (const TableConfig& table : tables)
    names.push_back(table.name);
  const std::string list = to_json(names);
  const std::optional<std::string_view> parameter{list};
  FRESHET_TRY(const pg::Rows rows, connection.query(sql::kSqlTableFacts, {&parameter, 1}));
  std::vector<TableFacts> facts;
  for (int i = 0; i < rows.rows(); ++i)
    facts.push_back(read_facts(NamedRow(rows, i)));
  return facts;
}

}  // namespace freshet::ops
