// The JSON Schema, from the same definitions as the parser.
#include <nlohmann/json.hpp>

#include "config/key.h"
#include "config/reference_page.h"

namespace freshet {
namespace {

using Json = nlohmann::ordered_json;

Json mapping_schema(const std::string& path);

/// A value that may also come from a variable.
Json or_variable(Json schema) {
  return {{"anyOf", Json::array({std::move(schema), {{"type", "string"}, {"pattern", "\\$\\{"}}})}};
}

Json choices_schema(const KeyDefinition& key) {
  Json names = Json::array();
  for (const std::string_view choice : key.choices)
    names.push_back(choice);
  // Unquoted, YAML reads the word null as no value.
  for (const std::string_view choice : key.choices) {
    if (choice == "null") names.push_back(nullptr);
  }
  return or_variable({{"enum", std::move(names)}});
}

Json type_schema(const KeyDefinition& key) {
  const std::string path{key.path};
  switch (key.type) {
    case KeyType::mapping:
      return mapping_schema(path);
    case KeyType::mapping_or_none:
      return {{"anyOf", Json::array({{{"const", "none"}}, mapping_schema(path)})}};
    case KeyType::named_mappings:
      return {{"type", "object"},
              {"minProperties", 1},
              {"additionalProperties", mapping_schema(path + ".*")}};
    case KeyType::list_of_mappings:
      return {{"type", "array"}, {"items", mapping_schema(path + "[]")}};
    case KeyType::list_of_tables:
      return {
          {"type", "array"},
          {"items", {{"anyOf", Json::array({{{"type", "string"}}, mapping_schema(path + "[]")})}}}};
    case KeyType::text:
    case KeyType::url:
    case KeyType::secret:
    case KeyType::table:
      return {{"type", "string"}, {"minLength", 1}};
    case KeyType::list_of_text:
      return {{"type", "array"}, {"minItems", 1}, {"items", {{"type", "string"}}}};
    case KeyType::boolean:
      return or_variable({{"type", "boolean"}});
    case KeyType::number:
      return or_variable({{"type", "integer"}, {"minimum", key.least}, {"maximum", key.most}});
    case KeyType::size:
      return {{"anyOf",
               Json::array({{{"type", "integer"}, {"minimum", key.least}}, {{"type", "string"}}})}};
    case KeyType::duration:
      return {{"type", "string"}};
    case KeyType::choice:
      return choices_schema(key);
    case KeyType::column_choices:
      return {
          {"type", "object"}, {"minProperties", 1}, {"additionalProperties", choices_schema(key)}};
  }
  return Json::object();
}

Json mapping_schema(const std::string& path) {
  Json properties = Json::object();
  Json required = Json::array();
  for (const KeyDefinition* child : find_children(path)) {
    const std::string name{key_name(*child)};
    Json schema = type_schema(*child);
    schema["description"] = child->help;
    properties[name] = std::move(schema);
    if (child->is_required) required.push_back(name);
  }
  return {{"type", "object"},
          {"additionalProperties", false},
          {"required", std::move(required)},
          {"properties", std::move(properties)}};
}

}  // namespace

std::string make_json_schema() {
  Json schema{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
              {"title", "Freshet pipeline"}};
  schema.update(mapping_schema(""));
  return schema.dump(2) + "\n";
}

}  // namespace freshet
