#include "core/ddl_capture.h"

#include <algorithm>
#include <cstdint>
#include <exception>
#include <string>

#include <nlohmann/json.hpp>

#include "types/builtin_type.h"

namespace freshet {
namespace {

using Json = nlohmann::json;

constexpr int kVersion = 1;

Column read_column(const Json& json) {
  Column column;
  column.name = json.at(0).get<std::string>();
  column.attnum = json.at(1).get<std::int16_t>();
  column.type = Oid{json.at(2).get<std::uint32_t>()};
  column.typmod = json.at(3).get<std::int32_t>();
  column.is_not_null = json.at(5).get<bool>();
  column.is_byte_comparable = json.at(7).get<bool>();
  column.primary_key_place = json.at(8).get<std::int16_t>();
  column.is_identity = json.at(9).get<bool>();
  if (!json.at(10).is_null())
    column.missing_value = std::make_shared<const std::string>(json.at(10).get<std::string>());
  column.is_builtin_type = is_builtin(column.type);
  return column;
}

bool is_same_column(const Column& a, const Column& b) {
  return a.name == b.name && a.type == b.type && a.typmod == b.typmod;
}

void take_over(Column& column, const Column& known) {
  const bool is_identity = column.is_identity;
  column = known;
  column.is_identity = is_identity;
}

CapturePtr read_capture(const Json& json) {
  if (json.at("version").get<int>() != kVersion) return nullptr;
  auto captured = std::make_shared<CapturedTable>();
  captured->subxid = Xid{json.at("xid").get<std::uint32_t>()};
  TableSchema all;
  all.relation = Oid{json.at("relation").get<std::uint32_t>()};
  all.name = {json.at("schema").get<std::string>(), json.at("table").get<std::string>()};
  all.identity = ReplicaIdentity{json.at("identity").get<std::string>().at(0)};
  all.definition = json.at("definition").get<std::string>();
  all.files = json.at("files").get<std::string>();
  all.version = 0;
  TableSchema published = all;
  for (const Json& column : json.at("columns")) {
    all.columns.push_back(read_column(column));
    if (!column.at(6).get<bool>()) published.columns.push_back(all.columns.back());
  }
  captured->all = std::make_shared<const TableSchema>(std::move(all));
  captured->published = std::make_shared<const TableSchema>(std::move(published));
  return captured;
}

}  // namespace

CapturePtr parse_capture(std::string_view json) {
  try {
    return read_capture(Json::parse(json));
  } catch (const std::exception&) {
    return nullptr;
  }
}

bool complete(TableSchema& announced, const CapturedTable& captured) {
  const std::vector<Column>& known = captured.all->columns;
  std::vector<Column> columns = announced.columns;
  auto next = known.begin();
  for (Column& column : columns) {
    next = std::find_if(next, known.end(),
                        [&](const Column& candidate) { return is_same_column(candidate, column); });
    if (next == known.end()) return false;
    take_over(column, *next++);
  }
  announced.columns = std::move(columns);
  announced.definition = captured.all->definition;
  announced.files = captured.all->files;
  return true;
}

}  // namespace freshet
