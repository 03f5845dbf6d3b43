#include "types/schema_json.h"

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <stdexcept>
#include <utility>

#include <nlohmann/json.hpp>

namespace freshet {
namespace {

using Json = nlohmann::ordered_json;

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    hex += kDigits[value >> 4U];
    hex += kDigits[value & 15U];
  }
  return hex;
}

std::size_t digit(char hex) {
  const std::size_t value = std::string_view("0123456789abcdef").find(hex);
  if (value == std::string_view::npos) throw std::invalid_argument("no hex digit");
  return value;
}

std::string from_hex(std::string_view hex) {
  if (hex.size() % 2 != 0) throw std::invalid_argument("half a byte");
  std::string bytes;
  for (std::size_t at = 0; at < hex.size(); at += 2)
    bytes += static_cast<char>(digit(hex[at]) * 16 + digit(hex[at + 1]));
  return bytes;
}

Json write(const std::vector<Column>& columns) {
  Json written = Json::array();
  for (const Column& column : columns) {
    written.push_back(
        {{"name", column.name},
         {"type", to_integer(column.type)},
         {"typmod", column.typmod},
         {"type_sql", column.type_sql},
         {"attnum", column.attnum},
         {"is_not_null", column.is_not_null},
         {"is_identity", column.is_identity},
         {"primary_key_place", column.primary_key_place},
         {"is_derived", column.is_derived},
         {"is_builtin_type", column.is_builtin_type},
         {"is_byte_comparable", column.is_byte_comparable},
         {"missing_value", column.missing_value ? Json(to_hex(*column.missing_value)) : Json()}});
  }
  return written;
}

Column read_column(const Json& json) {
  Column column;
  column.name = json.at("name").get<std::string>();
  column.type = Oid{json.at("type").get<std::uint32_t>()};
  column.typmod = json.at("typmod").get<std::int32_t>();
  column.type_sql = json.at("type_sql").get<std::string>();
  column.attnum = json.at("attnum").get<std::int16_t>();
  column.is_not_null = json.at("is_not_null").get<bool>();
  column.is_identity = json.at("is_identity").get<bool>();
  column.primary_key_place = json.at("primary_key_place").get<std::int16_t>();
  column.is_derived = json.at("is_derived").get<bool>();
  column.is_builtin_type = json.at("is_builtin_type").get<bool>();
  column.is_byte_comparable = json.at("is_byte_comparable").get<bool>();
  const Json& missing = json.at("missing_value");
  if (!missing.is_null())
    column.missing_value =
        std::make_shared<const std::string>(from_hex(missing.get_ref<const std::string&>()));
  return column;
}

std::vector<Column> read_columns(const Json& json) {
  std::vector<Column> columns;
  columns.reserve(json.size());
  for (const Json& column : json)
    columns.push_back(read_column(column));
  return columns;
}

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string to_json(const std::vector<Column>& columns) {
  return dump(write(columns));
}

std::string to_json(const TableSchema& schema) {
  return dump(Json{{"relation", to_integer(schema.relation)},
                   {"identity", std::string(1, static_cast<char>(schema.identity))},
                   {"version", schema.version},
                   {"definition", schema.definition},
                   {"files", schema.files},
                   {"columns", write(schema.columns)}});
}

std::optional<std::vector<Column>> parse_columns(std::string_view json) {
  try {
    return read_columns(Json::parse(json));
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

std::optional<TableSchema> parse_schema(const TableName& name, std::string_view json) {
  try {
    const Json from = Json::parse(json);
    TableSchema schema;
    schema.relation = Oid{from.at("relation").get<std::uint32_t>()};
    schema.name = name;
    schema.identity = ReplicaIdentity{from.at("identity").get<std::string>().at(0)};
    schema.version = from.at("version").get<std::uint64_t>();
    schema.definition = from.at("definition").get<std::string>();
    schema.files = from.at("files").get<std::string>();
    schema.columns = read_columns(from.at("columns"));
    return schema;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

}  // namespace freshet
