#include "destinations/postgres/change_record.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/enum_names.h"
#include "base/try.h"
#include "base/xxh64.h"
#include "types/copy_text.h"
#include "types/whole_row.h"

namespace freshet::postgres {
namespace {

using Json = nlohmann::ordered_json;

constexpr EnumNames<Addressing, 4> kAddressings{{{Addressing::netted, "key"},
                                                 {Addressing::ordered, "ordered key"},
                                                 {Addressing::whole_row, "row"},
                                                 {Addressing::none, "none"}}};

void append_field(const Value& value, std::string& line) {
  if (value.is_null()) {
    line += "\\N";
  } else {
    append_copy_text(value.view(), line);
  }
}

std::string key_line(const Target& target, RowView row) {
  std::string line;
  for (const std::uint16_t column : target.key) {
    if (column != target.key.front()) line += '\t';
    append_field(row[column], line);
  }
  return line;
}

std::string row_hash(const Target& target, RowView row) {
  std::string line;
  for (const std::uint16_t column : target.compared) {
    append_field(row[column], line);
    line += '\t';
  }
  return fmt::format("\\#{:016x}", xxh64(line, 0));
}

/// The row that is, with all that the old one tells about it.
RowView whole_after(const Target& target, const Change& change, Arena& arena) {
  if (change.op == Op::remove) return {};
  return fill_unchanged(change, target.key, arena);
}

Json image(const Target& target, RowView row, std::span<const std::uint16_t> columns) {
  Json values = Json::object();
  for (const std::uint16_t column : columns) {
    const Value& value = row[column];
    if (value.is_unchanged()) continue;
    Json& to = values[target.schema->columns[column].name];
    if (!value.is_null()) to = std::string{value.view()};
  }
  return values;
}

Error unkept(const Target& target, const Change& change) {
  return Error{ErrorKind::data, "a value that is no UTF-8 text cannot be kept in quarantine"}
      .with("table", to_string(target.schema->name))
      .with("commit_lsn", to_string(change.id.commit));
}

Error damaged() {
  return Error{ErrorKind::storage, "a row of freshet.quarantine is damaged"}.fix(
      "drop it: freshet quarantine drop");
}

}  // namespace

std::string_view to_string(Addressing addressing) noexcept {
  return find_name(kAddressings, addressing);
}

std::optional<Addressing> parse_addressing(std::string_view text) noexcept {
  return find_value(kAddressings, text);
}

std::vector<std::string> keys_of(const Target& target, const Change& change) {
  if (target.addressing == Addressing::none) return {};
  if (target.addressing == Addressing::ordered) return {std::string{kEveryKey}};
  Arena arena;
  std::vector<std::string> keys;
  const auto add = [&](RowView row) {
    if (row.empty()) return;
    std::string key =
        target.addressing == Addressing::whole_row ? row_hash(target, row) : key_line(target, row);
    if (keys.empty() || keys.front() != key) keys.push_back(std::move(key));
  };
  add(whole_after(target, change, arena));
  add(change.before);
  return keys;
}

Result<ChangeRecord> record_of(const Target& target,
                               const Change& change,
                               std::span<const std::string> keys) {
  Arena arena;
  const RowView after = whole_after(target, change, arena);
  Json key_columns = Json::array();
  for (const std::uint16_t column : target.key)
    key_columns.push_back(target.schema->columns[column].name);
  Json unchanged = Json::array();
  for (std::size_t i = 0; i < after.size(); ++i) {
    if (after[i].is_unchanged()) unchanged.push_back(target.schema->columns[i].name);
  }
  ChangeRecord record;
  try {
    record.keys = Json(keys).dump();
    record.key_columns = key_columns.dump();
    record.unchanged = unchanged.dump();
    if (has_binary(after) || has_binary(change.before)) return unkept(target, change);
    const bool is_full = change.old_row == OldRow::full;
    if (change.old_row != OldRow::none)
      record.before = image(target, change.before, is_full ? target.compared : target.key).dump();
    if (change.op != Op::remove) record.after = image(target, after, target.all).dump();
  } catch (const Json::exception&) {
    return unkept(target, change);
  }
  return record;
}

Result<RowImage> parse_image(std::string_view json) {
  RowImage row;
  try {
    const Json parsed = Json::parse(json);
    for (const auto& [column, value] : parsed.items()) {
      row.emplace_back(column,
                       value.is_null() ? std::nullopt : std::optional{value.get<std::string>()});
    }
  } catch (const Json::exception&) {
    return damaged();
  }
  return row;
}

Result<std::vector<std::string>> parse_names(std::string_view json) {
  try {
    return Json::parse(json).get<std::vector<std::string>>();
  } catch (const Json::exception&) {
    return damaged();
  }
}

}  // namespace freshet::postgres
