// A YAML document as a plain tree that keeps what yaml-cpp's own nodes lose: the place of each key,
// whether a scalar was quoted, and keys that come twice.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/problem.h"

namespace freshet {

struct YamlNode;
/// Shared where the document has aliases, which therefore cost nothing, however they nest.
using YamlNodePtr = std::shared_ptr<const YamlNode>;

struct YamlEntry {
  std::string key;
  Mark mark;
  YamlNodePtr value;
};

struct YamlNode {
  enum class Kind : unsigned char { null, scalar, list, mapping };
  Kind kind = Kind::null;
  Mark mark;
  std::string text = {};  ///< Scalars only.
  bool is_quoted = false;
  std::vector<YamlNodePtr> items = {};
  std::vector<YamlEntry> entries =
      {};  ///< In file order; a key is here once, its repetitions reported.
};

/// "text", "a list", ... for messages.
std::string_view describe(YamlNode::Kind kind) noexcept;

/// Parses one document. Null after a syntax error, which is reported; also reports keys that come
/// twice, bytes that are not text and a second document.
YamlNodePtr parse_yaml(const std::string& text, Problems& problems);

}  // namespace freshet
