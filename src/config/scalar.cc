#include "config/scalar.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/nearest.h"
#include "config/url_secret.h"
#include "config/value_syntax.h"

namespace freshet {
namespace {

struct Parsed {
  std::optional<KeyValue> value;
  std::string message;
  std::string fix;
};

Parsed in_range(const KeyDefinition& key,
                std::optional<std::uint64_t> number,
                std::string_view want) {
  if (!number) return {{}, fmt::format("expected {}", want), {}};
  if (*number < key.least || *number > key.most) {
    return {{}, fmt::format("out of range: {} to {} are possible", key.least, key.most), {}};
  }
  return {KeyValue{.number = *number}, {}, {}};
}

Parsed parse_choice(const KeyDefinition& key, const std::string& text) {
  const auto found = std::find(key.choices.begin(), key.choices.end(), text);
  if (found != key.choices.end()) {
    return {KeyValue{.number = static_cast<std::uint64_t>(found - key.choices.begin())}, {}, {}};
  }
  const std::string_view nearest = find_nearest(text, key.choices);
  return {{},
          fmt::format("expected one of {}", fmt::join(key.choices, ", ")),
          nearest.empty() ? "" : fmt::format("did you mean `{}`?", nearest)};
}

Parsed parse_table(const std::string& text) {
  if (std::optional<TableName> name = parse_table_name(text)) {
    return {KeyValue{.table = *std::move(name)}, {}, {}};
  }
  return {
      {}, "not a table's name", "write schema.table, quoting parts as in SQL: public.\"Odd name\""};
}

Parsed parse_as(const KeyDefinition& key, const std::string& text) {
  switch (key.type) {
    case KeyType::boolean: {
      const std::optional<bool> flag = parse_boolean(text);
      if (!flag) return {{}, "expected true or false", {}};
      return {KeyValue{.flag = *flag}, {}, {}};
    }
    case KeyType::number:
      return in_range(key, parse_number(text), "a whole number");
    case KeyType::size:
      return in_range(key, parse_size(text), "a size such as 64MiB");
    case KeyType::duration:
      return in_range(key, parse_duration_ms(text), "a duration such as 30s");
    case KeyType::choice:
    case KeyType::column_choices:
      return parse_choice(key, text);
    case KeyType::table:
      return parse_table(text);
    case KeyType::text:
    case KeyType::url:
    case KeyType::secret:
    case KeyType::list_of_text:
      if (text.empty()) return {{}, "must not be empty", {}};
      return {KeyValue{.text = text}, {}, {}};
    case KeyType::mapping:
    case KeyType::mapping_or_none:
    case KeyType::named_mappings:
    case KeyType::list_of_mappings:
    case KeyType::list_of_tables:
      break;
  }
  return {{}, "expected a mapping", {}};
}

void warn_of_secret(const ScalarSource& source, const Expansion& expanded, Problems& problems) {
  if (expanded.has_variable) return;
  const bool is_secret = source.key.type == KeyType::secret;
  const bool has_password = source.key.type == KeyType::url && has_url_password(expanded.text);
  if (!is_secret && !has_password) return;
  problems.warning(source.mark, source.path,
                   is_secret ? "a secret stands in this file in clear text"
                             : "a password stands in this file in clear text",
                   is_secret ? "use ${NAME} and set it in the environment"
                             : "use PGPASSFILE, a service file or ${NAME}");
}

}  // namespace

std::optional<KeyValue> parse_scalar(const ScalarSource& source,
                                     const Environment& environment,
                                     Problems& problems) {
  const Expansion expanded = expand_variables(source.text, environment);
  for (const std::string& name : expanded.unset) {
    problems.error(
        source.mark, source.path, fmt::format("the variable {} is not set", name),
        fmt::format("export {}=…, or write $${{{}}} if the text itself is meant", name, name));
  }
  if (!expanded.malformed.empty()) {
    problems.error(source.mark, source.path, expanded.malformed, "write $${ for the text itself");
  }
  if (!expanded.unset.empty() || !expanded.malformed.empty()) return std::nullopt;
  Parsed parsed = parse_as(source.key, expanded.text);
  if (!parsed.value) {
    problems.error(source.mark, source.path, parsed.message, parsed.fix);
    return std::nullopt;
  }
  warn_of_secret(source, expanded, problems);
  return std::move(parsed.value);
}

}  // namespace freshet
