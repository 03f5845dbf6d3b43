#include "config/yaml_tree.h"

#include <istream>
#include <sstream>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "config/text_check.h"

namespace freshet {
namespace {

Mark to_mark(const YAML::Mark& mark) {
  if (mark.is_null()) return {};
  return {static_cast<std::size_t>(mark.line) + 1, static_cast<std::size_t>(mark.column) + 1};
}

/// Builds the tree from the parser's events.
class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(Problems& problems) : problems_(problems) {}

  YamlNodePtr root() const { return root_; }

  void OnDocumentStart(const YAML::Mark&) override {}

  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add_leaf(YamlNode{.kind = YamlNode::Kind::null, .mark = to_mark(mark)}, anchor);
  }

  void OnScalar(const YAML::Mark& mark,
                const std::string& tag,
                YAML::anchor_t anchor,
                const std::string& value) override {
    // yaml-cpp gives quoted scalars the tag "!".
    add_leaf(YamlNode{.kind = YamlNode::Kind::scalar,
                      .mark = to_mark(mark),
                      .text = value,
                      .is_quoted = tag == "!"},
             anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) {
      problems_.error(to_mark(mark), "", "an alias refers to the value that contains it");
      add(std::make_shared<YamlNode>(YamlNode{.mark = to_mark(mark)}));
      return;
    }
    add(found->second);
  }

  void OnSequenceStart(const YAML::Mark& mark,
                       const std::string&,
                       YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::list, mark, anchor);
  }

  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark,
                  const std::string&,
                  YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::mapping, mark, anchor);
  }

  void OnMapEnd() override { close(); }

 private:
  struct Level {
    std::shared_ptr<YamlNode> node;
    YAML::anchor_t anchor = 0;
    bool expects_key = true;
    bool is_repeated = false;
    YamlEntry entry;
    std::unordered_set<std::string> keys;
  };

  void add_leaf(YamlNode node, YAML::anchor_t anchor) {
    auto made = std::make_shared<YamlNode>(std::move(node));
    if (anchor != 0) anchors_[anchor] = made;
    add(std::move(made));
  }

  void open(YamlNode::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    auto node = std::make_shared<YamlNode>(YamlNode{.kind = kind, .mark = to_mark(mark)});
    levels_.push_back(Level{.node = std::move(node), .anchor = anchor, .entry = {}, .keys = {}});
  }

  void close() {
    Level level = std::move(levels_.back());
    levels_.pop_back();
    if (level.anchor != 0) anchors_[level.anchor] = level.node;
    add(std::move(level.node));
  }

  void add(YamlNodePtr node) {
    if (levels_.empty()) {
      root_ = std::move(node);
      return;
    }
    Level& level = levels_.back();
    if (level.node->kind == YamlNode::Kind::list) {
      level.node->items.push_back(std::move(node));
    } else if (level.expects_key) {
      take_key(level, *node);
    } else {
      level.entry.value = std::move(node);
      if (!level.is_repeated) level.node->entries.push_back(std::move(level.entry));
      level.expects_key = true;
    }
  }

  void take_key(Level& level, const YamlNode& node) {
    level.expects_key = false;
    level.entry = YamlEntry{.key = node.text, .mark = node.mark, .value = nullptr};
    level.is_repeated = false;
    if (node.kind != YamlNode::Kind::scalar) {
      problems_.error(node.mark, "",
                      fmt::format("a key must be text, not {}", describe(node.kind)));
      level.is_repeated = true;
    } else if (!level.keys.insert(node.text).second) {
      problems_.error(node.mark, node.text, "this key comes twice", "keep one of them");
      level.is_repeated = true;
    }
  }

  Problems& problems_;
  std::vector<Level> levels_;
  std::unordered_map<YAML::anchor_t, YamlNodePtr> anchors_;
  YamlNodePtr root_;
};

}  // namespace

std::string_view describe(YamlNode::Kind kind) noexcept {
  switch (kind) {
    case YamlNode::Kind::null:
      return "nothing";
    case YamlNode::Kind::scalar:
      return "a single value";
    case YamlNode::Kind::list:
      return "a list";
    case YamlNode::Kind::mapping:
      return "a mapping";
  }
  return "";
}

namespace {

/// Inside { } or [ ] the brace of an unquoted variable begins a mapping, which the parser's own
/// message does not tell.
std::string syntax_advice(const std::string& text, Mark mark) {
  std::istringstream lines(text);
  std::string line;
  for (std::size_t at = 0; at < mark.line; ++at)
    std::getline(lines, line);
  const bool has_variable = line.find("${") != std::string::npos;
  return has_variable ? "inside { } or [ ], quote variables: '${NAME}'" : "";
}

}  // namespace

YamlNodePtr parse_yaml(const std::string& text, Problems& problems) {
  if (!check_text(text, problems)) return nullptr;
  try {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    TreeBuilder builder(problems);
    if (!parser.HandleNextDocument(builder) || builder.root() == nullptr) {
      return std::make_shared<YamlNode>(YamlNode{.mark = {1, 1}});
    }
    TreeBuilder ignored(problems);
    if (parser.HandleNextDocument(ignored) && ignored.root() != nullptr) {
      problems.error(ignored.root()->mark, "", "the file has a second document",
                     "one file describes one pipeline");
    }
    return builder.root();
  } catch (const YAML::Exception& e) {
    const Mark mark = to_mark(e.mark);
    problems.error(mark, "", "not valid YAML: " + e.msg, syntax_advice(text, mark));
  } catch (const std::exception& e) {
    problems.error({1, 1}, "", std::string("not valid YAML: ") + e.what());
  }
  return nullptr;
}

}  // namespace freshet
