// The definition of every configuration key. Parsing, the nearest-key advice, docs/config.md and
// the JSON Schema are all driven by this one table, so that they cannot disagree.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "freshet/config.h"

namespace freshet {

enum class KeyType : unsigned char {
  mapping,           ///< Has keys of its own.
  mapping_or_none,   ///< The same, or the word `none`.
  named_mappings,    ///< The user's names, each with the same keys (`path.*`).
  list_of_mappings,  ///< Items with the same keys (`path[]`).
  list_of_tables,    ///< The same, where an item may also be just the table's name.
  text,
  url,     ///< Text; may hold a password, which is never shown.
  secret,  ///< Text; never shown.
  table,   ///< `schema.table`, each part quoted as in SQL where needed.
  list_of_text,
  boolean,
  number,
  size,            ///< Bytes; with KiB, MiB or GiB.
  duration,        ///< Milliseconds; with ms, s or min.
  choice,          ///< One of `choices`.
  column_choices,  ///< Column names, each with one of `choices`.
};

/// A value of the right type and within its range, ready to be stored.
struct KeyValue {
  std::string text = {};  ///< text, url, secret; the name in named_mappings; the column.
  std::vector<std::string> texts = {};
  TableName table = {};
  std::uint64_t number = 0;  ///< number, size in bytes, duration in ms, index of the choice.
  bool flag = false;         ///< boolean; false for `none`.
};

/// Where values go: the last element of a list, the embedder named last.
struct ConfigTarget {
  PipelineConfig& config;
  EmbedderConfig* embedder = nullptr;
};

struct KeyDefinition {
  std::string_view path;  ///< `source.tables[].name`, `embedders.*.type`.
  KeyType type;
  std::string_view help;
  std::string_view default_text = {};  ///< As one would write it; empty: none.
  std::uint64_t least = 0;
  std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  std::span<const std::string_view> choices = {};
  bool is_required = false;
  void (*store)(ConfigTarget&, const KeyValue&) = nullptr;
};

/// All keys, parents before children, in the order of the documentation.
std::span<const KeyDefinition> key_definitions();

/// Name of the key itself: the last part of its path, e.g. `name`; empty for `[]` and `*`.
std::string_view key_name(const KeyDefinition& key);
/// The keys directly under `path` ("" = the top of the file), not those of its items.
std::vector<const KeyDefinition*> find_children(std::string_view path);

/// In the order of MaskMethod, EmbedderType and CopyMode.
std::span<const std::string_view> mask_method_names();
std::span<const std::string_view> embedder_type_names();

}  // namespace freshet
