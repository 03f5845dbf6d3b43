// Fuzzes tokenizer.json and the tokenizer made of it: any bytes as a file, or a small tokenizer
// made of the input's choices. Texts are encoded as a second, slow encoder does it: merge by merge,
// without words, cache or queue.
// Covers: embedders/static_model/tokenizer_file.cc embedders/static_model/bpe_tokenizer.cc

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/testing/fuzz_input.h"
#include "base/try.h"
#include "embedders/static_model/bpe_tokenizer.h"
#include "embedders/static_model/utf8.h"

namespace {

using freshet::BpeTokenizer;
using freshet::TokenizerSpec;
using freshet::testing::FuzzInput;
using Ids = std::vector<std::uint32_t>;
using Json = nlohmann::json;
using Step = TokenizerSpec::NormalizerStep;

constexpr std::string_view kMark = "\xE2\x96\x81";
constexpr std::size_t kGrowthMax = 1000;

/// Encodes by the book: a piece is normalized as a whole, and the best pair is looked for anew
/// after each merge.
class SlowEncoder {
 public:
  explicit SlowEncoder(const TokenizerSpec& spec) : spec_(spec) {
    for (const auto& [token, id] : spec.vocabulary)
      ids_[token] = id;
    for (std::uint32_t rank = 0; rank < spec.merges.size(); ++rank) {
      const auto& [left, right] = spec.merges[rank];
      merges_[{ids_.at(left), ids_.at(right)}] = {rank, ids_.at(left + right)};
    }
  }

  Ids encode(const std::string& text) const {
    Ids ids;
    encode(text, false, ids);
    return ids;
  }

 private:
  std::string normalize(std::string text) const {
    for (const Step& step : spec_.normalizer) {
      if (step.kind == Step::Kind::prepend) {
        if (!text.empty()) text = step.content + text;
        continue;
      }
      for (std::size_t at = 0; (at = text.find(step.pattern, at)) != std::string::npos;) {
        text.replace(at, step.pattern.size(), step.content);
        at += step.content.size();
      }
    }
    return text;
  }

  /// The longest added token at that place; nothing if there is none.
  std::optional<std::pair<std::size_t, std::uint32_t>> added_at(std::string_view text,
                                                                bool is_normalized) const {
    std::optional<std::pair<std::size_t, std::uint32_t>> best;
    for (const auto& token : spec_.added_tokens) {
      if (token.is_normalized != is_normalized || token.content.empty()) continue;
      const std::string content = is_normalized ? normalize(token.content) : token.content;
      if (content.empty() || !text.starts_with(content)) continue;
      if (best && best->first >= content.size()) continue;
      const auto known = ids_.find(token.content);
      best = {content.size(), known == ids_.end() ? token.id : known->second};
    }
    return best;
  }

  void encode(const std::string& text, bool is_normalized, Ids& ids) const {
    std::string piece;
    const auto end_piece = [&] {
      if (piece.empty()) return;
      if (is_normalized) {
        merge(piece, ids);
      } else {
        encode(normalize(piece), true, ids);
      }
      piece.clear();
    };
    for (std::size_t at = 0; at < text.size();) {
      const auto added = added_at(std::string_view{text}.substr(at), is_normalized);
      if (!added) {
        piece.push_back(text[at++]);
        continue;
      }
      end_piece();
      ids.push_back(added->second);
      at += added->first;
    }
    end_piece();
  }

  /// The tokens of a character's bytes; nothing if one is missing.
  std::optional<Ids> bytes_of(std::string_view character) const {
    Ids ids;
    for (const char byte : character) {
      constexpr std::string_view kHex = "0123456789ABCDEF";
      const auto code = static_cast<unsigned char>(byte);
      const auto found = ids_.find(std::string{"<0x"} + kHex[code >> 4] + kHex[code & 15] + ">");
      if (found == ids_.end()) return {};
      ids.push_back(found->second);
    }
    return ids;
  }

  Ids symbols(std::string_view text) const {
    Ids symbols;
    bool is_unknown_pending = false;
    const auto flush = [&] {
      if (is_unknown_pending) symbols.push_back(ids_.at(spec_.unknown_token));
      is_unknown_pending = false;
    };
    while (!text.empty()) {
      const auto size = freshet::utf8::first_character(text).size;
      const std::string character{text.substr(0, size)};
      text.remove_prefix(size);
      const auto known = ids_.find(character);
      const bool is_character = freshet::utf8::first_character(character).is_valid;
      if (known != ids_.end() && is_character) {
        flush();
        symbols.push_back(known->second);
      } else if (const auto bytes = spec_.has_byte_fallback ? bytes_of(character) : std::nullopt) {
        symbols.insert(symbols.end(), bytes->begin(), bytes->end());
      } else if (!spec_.unknown_token.empty()) {
        if (!spec_.fuses_unknown) flush();
        is_unknown_pending = true;
      }
    }
    flush();
    return symbols;
  }

  void merge(std::string_view text, Ids& ids) const {
    Ids left = symbols(text);
    while (true) {
      const std::pair<std::uint32_t, std::uint32_t>* best = nullptr;
      std::size_t place = 0;
      for (std::size_t at = 0; at + 1 < left.size(); ++at) {
        const auto found = merges_.find({left[at], left[at + 1]});
        if (found == merges_.end()) continue;
        if (best != nullptr && best->first <= found->second.first) continue;
        best = &found->second;
        place = at;
      }
      if (best == nullptr) break;
      left[place] = best->second;
      left.erase(left.begin() + static_cast<std::ptrdiff_t>(place) + 1);
    }
    ids.insert(ids.end(), left.begin(), left.end());
  }

  const TokenizerSpec& spec_;
  std::map<std::string, std::uint32_t> ids_;
  /// Of two ids: rank, and what they become.
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::pair<std::uint32_t, std::uint32_t>>
      merges_;
};

/// Encodes twice, the second time with what the first one has left in the cache.
Ids encode(const BpeTokenizer& tokenizer, std::string_view text, BpeTokenizer::Scratch& scratch) {
  Ids ids;
  tokenizer.encode(text, scratch, ids);
  Ids again;
  tokenizer.encode(text, scratch, again);
  FRESHET_CHECK(ids == again);
  for (const std::uint32_t id : ids)
    FRESHET_CHECK(id < tokenizer.id_limit());
  return ids;
}

/// Whether normalizing makes a text so much longer that fuzzing only finds the memory's end.
bool is_explosive(const TokenizerSpec& spec) {
  std::size_t growth = 1;
  for (const Step& step : spec.normalizer) {
    growth *= 1 + step.content.size();
    if (growth > kGrowthMax) return true;
  }
  return false;
}

void fuzz_bytes(FuzzInput& in) {
  const std::string text{in.take(in.byte())};
  const auto spec = freshet::parse_tokenizer_spec(in.rest());
  if (!spec.ok()) {
    FRESHET_CHECK(spec.error().kind() == freshet::ErrorKind::config);
    return;
  }
  if (is_explosive(*spec)) return;
  const auto tokenizer = BpeTokenizer::make(*spec);
  if (!tokenizer.ok()) {
    FRESHET_CHECK(tokenizer.error().kind() == freshet::ErrorKind::config);
    return;
  }
  BpeTokenizer::Scratch scratch;
  encode(*tokenizer, text, scratch);
}

template <std::size_t kCount>
std::string_view choose(FuzzInput& in, const std::string_view (&from)[kCount]) {
  return from[in.below(kCount)];
}

constexpr std::string_view kTokens[] = {"a",
                                        "b",
                                        "c",
                                        kMark,
                                        "\xC3\xA9",
                                        "<0x7A>",
                                        "<0xC3>",
                                        "<0xA9>",
                                        "<0xE2>",
                                        "<unk>",
                                        "\xE2\x96\x81\xE2\x96\x81",
                                        "<s>",
                                        "\xF0\x9F\x98\x80"};
constexpr std::string_view kContents[] = {"<s>", "a b", "ab", " ", kMark, "bc", "z"};
constexpr std::string_view kPatterns[] = {" ", "a", "bb", "  ", "z"};
constexpr std::string_view kReplacements[] = {kMark, "", "b", " a"};

TokenizerSpec make_spec(FuzzInput& in) {
  TokenizerSpec spec;
  std::set<std::string> tokens;
  std::uint32_t next_id = in.below(4);
  const auto add = [&](std::string token) {
    if (tokens.insert(token).second) spec.vocabulary.emplace_back(std::move(token), next_id++);
  };
  const unsigned mask = static_cast<unsigned>(in.byte()) << 8 | in.byte();
  for (std::size_t i = 0; i < std::size(kTokens); ++i) {
    if ((mask >> i & 1) != 0) add(std::string{kTokens[i]});
  }
  if (tokens.empty()) add("a");
  for (unsigned left = in.below(16); left > 0; --left) {
    const std::string first = spec.vocabulary[in.below(spec.vocabulary.size())].first;
    const std::string second = spec.vocabulary[in.below(spec.vocabulary.size())].first;
    spec.merges.emplace_back(first, second);
    add(first + second);
  }
  for (unsigned left = in.below(4); left > 0; --left) {
    Step& step = spec.normalizer.emplace_back();
    step.kind = in.flip() ? Step::Kind::prepend : Step::Kind::replace;
    if (step.kind == Step::Kind::replace) step.pattern = choose(in, kPatterns);
    step.content = choose(in, kReplacements);
  }
  if (in.below(4) == 0) {  // What SentencePiece models have, which is encoded on a faster way.
    spec.normalizer = {
        Step{.kind = Step::Kind::prepend, .pattern = {}, .content = std::string{kMark}},
        Step{.kind = Step::Kind::replace, .pattern = " ", .content = std::string{kMark}}};
  }
  std::set<std::string_view> added;
  for (unsigned left = in.below(4); left > 0; --left) {
    const std::string_view content = choose(in, kContents);
    if (!added.insert(content).second) continue;
    spec.added_tokens.push_back(
        {.content = std::string{content}, .id = next_id++, .is_normalized = in.flip()});
  }
  const unsigned unknown = in.below(4);
  if (unknown != 0) spec.unknown_token = spec.vocabulary[in.below(spec.vocabulary.size())].first;
  spec.fuses_unknown = in.flip();
  spec.has_byte_fallback = in.flip();
  return spec;
}

Json to_json(const TokenizerSpec& spec, bool has_merges_as_pairs) {
  Json json{{"added_tokens", Json::array()}, {"pre_tokenizer", nullptr}, {"padding", false}};
  Json steps = Json::array();
  for (const Step& step : spec.normalizer) {
    if (step.kind == Step::Kind::prepend) {
      steps.push_back({{"type", "Prepend"}, {"prepend", step.content}});
    } else {
      steps.push_back({{"type", "Replace"},
                       {"pattern", {{"String", step.pattern}}},
                       {"content", step.content}});
    }
  }
  if (!steps.empty()) json["normalizer"] = {{"type", "Sequence"}, {"normalizers", steps}};
  if (steps.size() == 1) json["normalizer"] = steps[0];
  for (const auto& token : spec.added_tokens) {
    json["added_tokens"].push_back(
        {{"id", token.id}, {"content", token.content}, {"normalized", token.is_normalized}});
  }
  Json& model = json["model"];
  model = {
      {"type", "BPE"}, {"vocab", Json::object()}, {"merges", Json::array()}, {"dropout", nullptr}};
  for (const auto& [token, id] : spec.vocabulary)
    model["vocab"][token] = id;
  for (const auto& [left, right] : spec.merges) {
    model["merges"].push_back(has_merges_as_pairs ? Json{left, right} : Json(left + " " + right));
  }
  if (!spec.unknown_token.empty()) model["unk_token"] = spec.unknown_token;
  model["fuse_unk"] = spec.fuses_unknown;
  model["byte_fallback"] = spec.has_byte_fallback;
  return json;
}

/// Asks for something that is not supported, or breaks a reference: the file must be refused.
void damage(FuzzInput& in, Json& json) {
  switch (in.below(12)) {
    case 0:
      json["pre_tokenizer"] = {{"type", "Whitespace"}};
      break;
    case 1:
      json["truncation"] = true;
      break;
    case 2:
      json["normalizer"] = {{"type", "NFC"}};
      break;
    case 3:
      json["normalizer"] = {{"type", "Replace"}, {"pattern", {{"Regex", "a+"}}}, {"content", "a"}};
      break;
    case 4:
      json["added_tokens"].push_back({{"id", 1}, {"content", "x"}, {"lstrip", true}});
      break;
    case 5:
      json["added_tokens"].push_back({{"id", 1U << 24}, {"content", "x"}});
      break;
    case 6:
      json["model"]["type"] = in.flip() ? Json{"WordPiece"} : Json{};
      break;
    case 7:
      json["model"][in.flip() ? "end_of_word_suffix" : "ignore_merges"] = "</w>";
      break;
    case 8:
      json["model"]["dropout"] = 0.1;
      break;
    case 9:
      json["model"]["vocab"] = Json::object();
      break;
    case 10:
      json["model"]["vocab"]["a"] = -1;
      break;
    default: {
      const Json merges[] = {"a", "a b c", {"a"}, {"", "a"}, {"a", "nobody"}, 7};
      json["model"]["merges"].push_back(merges[in.below(6)]);
    }
  }
}

std::string make_text(FuzzInput& in) {
  constexpr std::string_view kWords[] = {
      "a",    "b",     "c",   " ",  kMark, "\xC3\xA9",         "z",
      "\xE2", "\x96",  "<s>", "ab", "  ",  "\xF0\x9F\x98\x80", "bc",
      "\n",   "abcabc"};
  std::string text;
  for (unsigned left = in.below(48); left > 0; --left)
    text += choose(in, kWords);
  return text;
}

void check_spec(const TokenizerSpec& read, const TokenizerSpec& made) {
  const std::map<std::string, std::uint32_t> a{read.vocabulary.begin(), read.vocabulary.end()};
  const std::map<std::string, std::uint32_t> b{made.vocabulary.begin(), made.vocabulary.end()};
  FRESHET_CHECK(a == b && read.merges == made.merges && read.unknown_token == made.unknown_token);
  FRESHET_CHECK(read.normalizer.size() == made.normalizer.size());
  FRESHET_CHECK(read.added_tokens.size() == made.added_tokens.size());
  FRESHET_CHECK(read.fuses_unknown == made.fuses_unknown);
  FRESHET_CHECK(read.has_byte_fallback == made.has_byte_fallback);
}

void fuzz_tokenizer(FuzzInput& in) {
  const TokenizerSpec spec = make_spec(in);
  Json json = to_json(spec, in.flip());
  const bool is_damaged = in.below(8) == 1;
  if (is_damaged) damage(in, json);
  const auto read = freshet::parse_tokenizer_spec(json.dump());
  const auto tokenizer =
      read.ok() ? BpeTokenizer::make(*read) : freshet::Result<BpeTokenizer>{read.error()};
  FRESHET_CHECK(tokenizer.ok() == !is_damaged);
  if (is_damaged) return;
  check_spec(*read, spec);
  const SlowEncoder expected{spec};
  BpeTokenizer::Scratch scratch;
  while (!in.is_empty()) {
    const std::string text = make_text(in);
    FRESHET_CHECK(encode(*tokenizer, text, scratch) == expected.encode(text));
    if (in.below(8) == 0) scratch.trim();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzInput in{data, size};
  if (in.below(4) != 0) {
    fuzz_tokenizer(in);
  } else {
    fuzz_bytes(in);
  }
  return 0;
}
