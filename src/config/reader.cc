#include "config/reader.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/nearest.h"
#include "config/key.h"
#include "config/scalar.h"

namespace freshet {
namespace {

class Reader {
 public:
  Reader(const Environment& environment, PipelineConfig& config, Problems& problems)
      : environment_(environment), problems_(problems), target_{.config = config} {}

  /// Reads the keys of one mapping. `pattern` is its path in the definitions, `shown` in the file.
  void read_mapping(const YamlNode& node, const std::string& pattern, const std::string& shown) {
    const std::vector<const KeyDefinition*> children = find_children(pattern);
    for (const YamlEntry& entry : node.entries) {
      const auto found = std::find_if(children.begin(), children.end(), [&](const auto* child) {
        return key_name(*child) == entry.key;
      });
      if (found == children.end()) {
        report_unknown(entry, children, shown);
        continue;
      }
      const std::string path = join(shown, entry.key);
      marks_[path] = entry.value->mark.line > 0 ? entry.value->mark : entry.mark;
      read_value(**found, *entry.value, entry.mark, path);
    }
    for (const KeyDefinition* child : children) {
      if (child->is_required && !has(node, key_name(*child))) {
        problems_.error(node.mark, join(shown, key_name(*child)), "this key is missing",
                        first_sentence(child->help));
      }
    }
  }

  KeyMarks take_marks() { return std::move(marks_); }

 private:
  static std::string join(const std::string& path, std::string_view key) {
    return path.empty() ? std::string{key} : fmt::format("{}.{}", path, key);
  }

  static bool has(const YamlNode& node, std::string_view key) {
    return std::any_of(node.entries.begin(), node.entries.end(),
                       [&](const YamlEntry& entry) { return entry.key == key; });
  }

  static std::string first_sentence(std::string_view help) {
    return std::string{help.substr(0, help.find_first_of(".;:"))};
  }

  void report_unknown(const YamlEntry& entry,
                      const std::vector<const KeyDefinition*>& children,
                      const std::string& shown) {
    std::vector<std::string_view> names;
    for (const KeyDefinition* child : children)
      names.push_back(key_name(*child));
    const std::string_view nearest = find_nearest(entry.key, names);
    problems_.error(entry.mark, join(shown, entry.key), "there is no such key",
                    nearest.empty() ? fmt::format("known here: {}", fmt::join(names, ", "))
                                    : fmt::format("did you mean `{}`?", nearest));
  }

  void report_kind(const YamlNode& node, Mark key, const std::string& path, std::string_view want) {
    problems_.error(node.mark.line > 0 ? node.mark : key, path,
                    fmt::format("expected {}, found {}", want, describe(node.kind)));
  }

  void store(const KeyDefinition& key, const KeyValue& value) {
    if (key.store != nullptr) key.store(target_, value);
  }

  void read_value(const KeyDefinition& key,
                  const YamlNode& node,
                  Mark mark,
                  const std::string& path) {
    switch (key.type) {
      case KeyType::mapping:
        return read_section(key, node, mark, path);
      case KeyType::mapping_or_none:
        return read_section_or_none(key, node, mark, path);
      case KeyType::named_mappings:
        return read_named(key, node, mark, path);
      case KeyType::list_of_mappings:
      case KeyType::list_of_tables:
        return read_items(key, node, mark, path);
      case KeyType::list_of_text:
        return read_texts(key, node, mark, path);
      case KeyType::column_choices:
        return read_columns(key, node, mark, path);
      case KeyType::text:
      case KeyType::url:
      case KeyType::secret:
      case KeyType::table:
      case KeyType::boolean:
      case KeyType::number:
      case KeyType::size:
      case KeyType::duration:
      case KeyType::choice:
        return read_scalar(key, node, mark, path);
    }
  }

  void read_section(const KeyDefinition& key,
                    const YamlNode& node,
                    Mark mark,
                    const std::string& path) {
    if (node.kind != YamlNode::Kind::mapping) return report_kind(node, mark, path, "a mapping");
    store(key, {});
    read_mapping(node, std::string{key.path}, path);
  }

  void read_section_or_none(const KeyDefinition& key,
                            const YamlNode& node,
                            Mark mark,
                            const std::string& path) {
    if (node.kind == YamlNode::Kind::scalar && node.text == "none") return store(key, {});
    if (node.kind != YamlNode::Kind::mapping) {
      return report_kind(node, mark, path, "a mapping or `none`");
    }
    store(key, {.flag = true});
    read_mapping(node, std::string{key.path}, path);
  }

  void read_named(const KeyDefinition& key,
                  const YamlNode& node,
                  Mark mark,
                  const std::string& path) {
    if (node.kind != YamlNode::Kind::mapping || node.entries.empty()) {
      return report_kind(node, mark, path, "a mapping of names of your choice");
    }
    for (const YamlEntry& entry : node.entries) {
      const std::string shown = join(path, entry.key);
      marks_[shown] = entry.mark;
      if (entry.value->kind != YamlNode::Kind::mapping) {
        report_kind(*entry.value, entry.mark, shown, "a mapping");
        continue;
      }
      store(key, {.text = entry.key});
      read_mapping(*entry.value, std::string{key.path} + ".*", shown);
    }
  }

  void read_items(const KeyDefinition& key,
                  const YamlNode& node,
                  Mark mark,
                  const std::string& path) {
    const bool takes_names = key.type == KeyType::list_of_tables;
    if (node.kind != YamlNode::Kind::list) return report_kind(node, mark, path, "a list");
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      const YamlNode& item = *node.items[i];
      const std::string shown = fmt::format("{}[{}]", path, i);
      marks_[shown] = item.mark;
      if (item.kind == YamlNode::Kind::mapping) {
        store(key, {});
        read_mapping(item, std::string{key.path} + "[]", shown);
      } else if (takes_names && item.kind == YamlNode::Kind::scalar) {
        store(key, {});
        read_scalar(*find_children(std::string{key.path} + "[]").front(), item, item.mark, shown);
      } else {
        report_kind(item, mark, shown, takes_names ? "a table's name or a mapping" : "a mapping");
      }
    }
  }

  void read_texts(const KeyDefinition& key,
                  const YamlNode& node,
                  Mark mark,
                  const std::string& path) {
    if (node.kind != YamlNode::Kind::list || node.items.empty()) {
      return report_kind(node, mark, path, "a list with at least one text");
    }
    KeyValue value;
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      const YamlNode& item = *node.items[i];
      const std::string shown = fmt::format("{}[{}]", path, i);
      marks_[shown] = item.mark;
      if (item.kind != YamlNode::Kind::scalar) {
        report_kind(item, mark, shown, "text");
      } else if (std::optional<KeyValue> read = read_text(key, item, mark, shown)) {
        const bool is_new =
            std::find(value.texts.begin(), value.texts.end(), read->text) == value.texts.end();
        if (!is_new) problems_.error(item.mark, shown, "this entry comes twice");
        value.texts.push_back(std::move(read->text));
      }
    }
    store(key, value);
  }

  void read_columns(const KeyDefinition& key,
                    const YamlNode& node,
                    Mark mark,
                    const std::string& path) {
    if (node.kind != YamlNode::Kind::mapping || node.entries.empty()) {
      return report_kind(node, mark, path, "a mapping of columns to methods");
    }
    for (const YamlEntry& entry : node.entries) {
      const std::string shown = join(path, entry.key);
      marks_[shown] = entry.mark;
      // A bare `null` is YAML's own word for nothing; here it names a method.
      if (entry.value->kind != YamlNode::Kind::scalar &&
          entry.value->kind != YamlNode::Kind::null) {
        report_kind(*entry.value, entry.mark, shown, "a method");
        continue;
      }
      const YamlNode method{
          .kind = YamlNode::Kind::scalar,
          .mark = entry.value->mark,
          .text = entry.value->kind == YamlNode::Kind::null ? "null" : entry.value->text};
      if (std::optional<KeyValue> value = read_text(key, method, entry.mark, shown)) {
        value->text = entry.key;
        store(key, *value);
      }
    }
  }

  void read_scalar(const KeyDefinition& key,
                   const YamlNode& node,
                   Mark mark,
                   const std::string& path) {
    if (node.kind != YamlNode::Kind::scalar) return report_kind(node, mark, path, "a single value");
    if (const std::optional<KeyValue> value = read_text(key, node, mark, path)) store(key, *value);
  }

  std::optional<KeyValue> read_text(const KeyDefinition& key,
                                    const YamlNode& node,
                                    Mark mark,
                                    const std::string& path) {
    return parse_scalar(ScalarSource{.key = key,
                                     .text = node.text,
                                     .mark = node.mark.line > 0 ? node.mark : mark,
                                     .path = path},
                        environment_, problems_);
  }

  const Environment& environment_;
  Problems& problems_;
  ConfigTarget target_;
  KeyMarks marks_;
};

}  // namespace

KeyMarks read_config(const YamlNode& root,
                     const Environment& environment,
                     PipelineConfig& config,
                     Problems& problems) {
  if (root.kind != YamlNode::Kind::mapping) {
    problems.error(
        root.mark, "",
        root.kind == YamlNode::Kind::null
            ? "the file is empty"
            : fmt::format("expected a mapping at the top, found {}", describe(root.kind)),
        "start with `pipeline: NAME`; docs/config.md has a complete example");
    return {};
  }
  Reader reader(environment, config, problems);
  reader.read_mapping(root, "", "");
  return reader.take_marks();
}

}  // namespace freshet
