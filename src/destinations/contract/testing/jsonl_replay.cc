#include "destinations/contract/testing/jsonl_replay.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <utility>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "destinations/jsonl/schema.h"

namespace freshet {
namespace {

using nlohmann::json;

std::optional<std::string> cell(const json& value) {
  if (value.is_null()) return {};
  return value.is_string() ? value.get<std::string>() : value.dump();
}

VisibleRow visible(const json& object) {
  VisibleRow row;
  for (const auto& [name, value] : object.items())
    row[name] = cell(value);
  return row;
}

class TableReplay {
 public:
  void apply(const json& line) {
    const std::string op = line.at("op");
    if (op == "reset" || op == "truncate") rows_.clear();
    if (op == "range") range(line);
    if (op == "copy") rows_.push_back({visible(line.at("after")), line.at("range").get<int>()});
    if (op == "schema") schema(line.at("columns"));
    if (op == "delete") take(line);
    if (op == "insert") rows_.push_back({visible(line.at("after")), kNoRange});
    if (op == "update" || op == "upsert") put(line);
  }

  std::vector<VisibleRow> rows() const {
    std::vector<VisibleRow> rows;
    for (const Row& row : rows_) {
      if (row.range == kNoRange || finished_.count(row.range) > 0) rows.push_back(row.cells);
    }
    return rows;
  }

 private:
  static constexpr int kNoRange = -1;

  struct Row {
    VisibleRow cells;
    int range;
  };

  void range(const json& line) {
    const int index = line.at("range");
    if (line.at("state") == "end") {
      finished_.insert(index);
      return;
    }
    finished_.erase(index);
    std::erase_if(rows_, [&](const Row& row) { return row.range == index; });
  }

  void schema(const json& columns) {
    for (Row& row : rows_) {
      VisibleRow next;
      for (const json& column : columns) {
        const std::string name = column.at("name");
        const auto known = row.cells.find(name);
        next[name] = known == row.cells.end() ? cell(column.at("missing")) : known->second;
      }
      row.cells = std::move(next);
    }
  }

  // Removes and returns the one row that the line addresses: by key, else by the whole old row.
  VisibleRow take(const json& line) {
    const json& address = line.at("key").is_null() ? line.at("before") : line.at("key");
    const VisibleRow wanted = visible(address);
    const auto found = std::find_if(rows_.begin(), rows_.end(), [&](const Row& row) {
      return std::all_of(wanted.begin(), wanted.end(), [&](const auto& column) {
        const auto own = row.cells.find(column.first);
        return own != row.cells.end() && own->second == column.second;
      });
    });
    if (found == rows_.end()) return {};
    VisibleRow taken = std::move(found->cells);
    rows_.erase(found);
    return taken;
  }

  void put(const json& line) {
    VisibleRow row = take(line);
    for (const auto& [name, value] : visible(line.at("after")))
      row[name] = value;
    rows_.push_back({std::move(row), kNoRange});
  }

  std::vector<Row> rows_;
  std::set<int> finished_;
};

}  // namespace

std::vector<VisibleRow> replay_jsonl(const std::string& path, const TableSchema& schema) {
  std::ifstream file(path);
  std::vector<json> lines;
  std::size_t committed = 0;
  for (std::string text; std::getline(file, text);) {
    json line = json::parse(text, nullptr, false);
    if (line.is_discarded()) {
      EXPECT_TRUE(file.eof()) << "not JSON: " << text;
      break;
    }
    lines.push_back(std::move(line));
    if (lines.back().at("op") == "position") committed = lines.size();
  }
  TableReplay table;
  for (std::size_t i = 0; i < committed; ++i) {
    if (lines[i].value("table", "") == jsonl_table_name(schema.name)) table.apply(lines[i]);
  }
  std::vector<VisibleRow> rows = table.rows();
  const std::string key = schema.columns.front().name;
  std::sort(rows.begin(), rows.end(), [&](const VisibleRow& a, const VisibleRow& b) {
    return std::pair(std::stoi(a.at(key).value_or("0")), a) <
           std::pair(std::stoi(b.at(key).value_or("0")), b);
  });
  return rows;
}

}  // namespace freshet
