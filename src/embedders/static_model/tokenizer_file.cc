// Reads a Hugging Face tokenizer.json into a TokenizerSpec, refusing what we do not reproduce.
#include <utility>

#include <nlohmann/json.hpp>

#include "base/try.h"
#include "embedders/static_model/bpe_tokenizer.h"

namespace freshet {
namespace {

using Json = nlohmann::json;

Error unsupported(std::string_view what) {
  return Error{ErrorKind::config, "tokenizer.json uses a feature that is not supported"}.with(
      "feature", what);
}

const Json& member(const Json& object, const char* key) {
  static const Json kNull;
  if (!object.is_object()) return kNull;
  const auto found = object.find(key);
  return found == object.end() ? kNull : *found;
}

bool is_true(const Json& value) {
  return value.is_boolean() && value.get<bool>();
}

std::string text_of(const Json& value) {
  return value.is_string() ? value.get<std::string>() : std::string{};
}

// Null, false and "" mean that the option is off.
bool is_set(const Json& value) {
  return !value.is_null() && !(value.is_boolean() && !value.get<bool>()) &&
         !(value.is_string() && value.get_ref<const std::string&>().empty());
}

// A file's nesting is no measure of our stack: real ones have one sequence.
constexpr unsigned kNormalizerDepthMax = 8;

Status read_normalizer(const Json& json, TokenizerSpec& spec, unsigned depth = 0) {
  if (json.is_null()) return ok_status();
  if (depth > kNormalizerDepthMax) return unsupported("normalizer with sequences in sequences");
  const std::string type = text_of(member(json, "type"));
  using Step = TokenizerSpec::NormalizerStep;
  if (type == "Sequence") {
    for (const Json& step : member(json, "normalizers"))
      FRESHET_TRY(read_normalizer(step, spec, depth + 1));
    return ok_status();
  }
  if (type == "Prepend") {
    spec.normalizer.push_back(Step{
        .kind = Step::Kind::prepend, .pattern = {}, .content = text_of(member(json, "prepend"))});
    return ok_status();
  }
  if (type == "Replace") {
    std::string pattern = text_of(member(member(json, "pattern"), "String"));
    if (pattern.empty()) return unsupported("normalizer Replace with a regular expression");
    spec.normalizer.push_back(Step{.kind = Step::Kind::replace,
                                   .pattern = std::move(pattern),
                                   .content = text_of(member(json, "content"))});
    return ok_status();
  }
  return unsupported("normalizer " + type);
}

Status read_added_tokens(const Json& json, TokenizerSpec& spec) {
  for (const Json& token : json) {
    for (const char* option : {"single_word", "lstrip", "rstrip"}) {
      if (is_true(member(token, option))) {
        return unsupported(std::string{"added token with "} + option);
      }
    }
    const Json& id = member(token, "id");
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() > 0xFFFFFF) {
      return Error{ErrorKind::config, "tokenizer.json has an added token without a usable id"};
    }
    spec.added_tokens.push_back({.content = text_of(member(token, "content")),
                                 .id = id.get<std::uint32_t>(),
                                 .is_normalized = is_true(member(token, "normalized"))});
  }
  return ok_status();
}

Status read_vocabulary(const Json& json, TokenizerSpec& spec) {
  if (!json.is_object() || json.empty()) {
    return Error{ErrorKind::config, "tokenizer.json has no vocabulary"};
  }
  spec.vocabulary.reserve(json.size());
  for (const auto& [token, id] : json.items()) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() > 0xFFFFFF) {
      return Error{ErrorKind::config, "tokenizer.json has a token without a usable id"};
    }
    spec.vocabulary.emplace_back(token, id.get<std::uint32_t>());
  }
  return ok_status();
}

// A merge is "left right" in older files and ["left", "right"] in newer ones.
Status read_merges(const Json& json, TokenizerSpec& spec) {
  spec.merges.reserve(json.size());
  for (const Json& merge : json) {
    std::string left;
    std::string right;
    if (merge.is_string()) {
      const auto& text = merge.get_ref<const std::string&>();
      const std::size_t space = text.find(' ');
      if (space != std::string::npos && text.find(' ', space + 1) == std::string::npos) {
        left = text.substr(0, space);
        right = text.substr(space + 1);
      }
    } else if (merge.is_array() && merge.size() == 2) {
      left = text_of(merge[0]);
      right = text_of(merge[1]);
    }
    if (left.empty() || right.empty()) {
      return Error{ErrorKind::config, "tokenizer.json has a malformed merge"}.with(
          "rank", spec.merges.size());
    }
    spec.merges.emplace_back(std::move(left), std::move(right));
  }
  return ok_status();
}

Status read_model(const Json& model, TokenizerSpec& spec) {
  const std::string type = text_of(member(model, "type"));
  if (type != "BPE") return unsupported("model type " + (type.empty() ? "(none)" : type));
  for (const char* option : {"continuing_subword_prefix", "end_of_word_suffix", "ignore_merges"}) {
    if (is_set(member(model, option))) return unsupported(option);
  }
  const Json& dropout = member(model, "dropout");
  if (dropout.is_number() && dropout.get<double>() != 0) return unsupported("dropout");
  spec.unknown_token = text_of(member(model, "unk_token"));
  spec.fuses_unknown = is_true(member(model, "fuse_unk"));
  spec.has_byte_fallback = is_true(member(model, "byte_fallback"));
  FRESHET_TRY(read_vocabulary(member(model, "vocab"), spec));
  return read_merges(member(model, "merges"), spec);
}

Result<TokenizerSpec> read_tokenizer(const Json& json) {
  if (!json.is_object()) return Error{ErrorKind::config, "tokenizer.json is not a JSON object"};
  for (const char* part : {"pre_tokenizer", "truncation", "padding"}) {
    if (is_set(member(json, part))) return unsupported(part);
  }
  TokenizerSpec spec;
  FRESHET_TRY(read_normalizer(member(json, "normalizer"), spec));
  FRESHET_TRY(read_added_tokens(member(json, "added_tokens"), spec));
  FRESHET_TRY(read_model(member(json, "model"), spec));
  return spec;
}

}  // namespace

Result<TokenizerSpec> parse_tokenizer_spec(std::string_view json) {
  try {
    const Json parsed = Json::parse(json.begin(), json.end(), nullptr, false);
    if (parsed.is_discarded()) return Error{ErrorKind::config, "tokenizer.json is not valid JSON"};
    return read_tokenizer(parsed);
  } catch (const std::exception& failure) {
    return Error{ErrorKind::config, "tokenizer.json could not be read"}.with("reason",
                                                                             failure.what());
  }
}

}  // namespace freshet
