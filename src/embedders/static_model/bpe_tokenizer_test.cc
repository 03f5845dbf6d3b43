// Small tokenizers made here. Against a real one: static_model_test.cc.
#include "embedders/static_model/bpe_tokenizer.h"

#include <chrono>
#include <string>

#include <gtest/gtest.h>

namespace freshet {
namespace {

using Ids = std::vector<std::uint32_t>;

constexpr std::string_view kJson = R"({
  "added_tokens": [{"id": 1, "content": "<s>", "normalized": false, "special": true}],
  "normalizer": {"type": "Sequence", "normalizers": [
    {"type": "Prepend", "prepend": "▁"},
    {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
  "pre_tokenizer": null, "post_processor": null, "decoder": null,
  "model": {"type": "BPE", "dropout": null, "unk_token": "<unk>", "fuse_unk": true,
    "byte_fallback": true,
    "vocab": {"<unk>": 0, "<s>": 1, "▁": 2, "a": 3, "b": 4, "c": 5, "ab": 6, "bc": 7, "▁ab": 8,
              "abc": 9, "▁▁": 10, "<0xC3>": 11, "<0xA9>": 12, "é": 13, "<0x0A>": 14},
    "merges": ["b c", "a b", "▁ ab", ["▁", "▁"], "ab c"]}})";

std::string with(std::string text, std::string_view what, std::string_view instead) {
  const std::size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), instead);
}

Result<BpeTokenizer> open(std::string_view json) {
  auto spec = parse_tokenizer_spec(json);
  if (!spec.ok()) return std::move(spec).error();
  return BpeTokenizer::make(*spec);
}

Ids encode(const Result<BpeTokenizer>& tokenizer, std::string_view text) {
  EXPECT_TRUE(tokenizer.ok());
  BpeTokenizer::Scratch scratch;
  Ids ids;
  tokenizer->encode(text, scratch, ids);
  Ids again;
  tokenizer->encode(text, scratch, again);
  EXPECT_EQ(ids, again) << "the word cache changed something";
  return ids;
}

TEST(BpeTokenizer, MergesTheLowestRankFirstThenTheLeftmost) {
  const auto tokenizer = open(kJson);
  EXPECT_EQ(encode(tokenizer, "ab"), (Ids{8}));
  EXPECT_EQ(encode(tokenizer, "abc"), (Ids{2, 3, 7}));
  EXPECT_EQ(encode(tokenizer, "abab c"), (Ids{8, 6, 2, 5}));
}

TEST(BpeTokenizer, MarksWordsAndRunsOfSpaces) {
  const auto tokenizer = open(kJson);
  EXPECT_TRUE(tokenizer->is_split_at_words());
  EXPECT_EQ(encode(tokenizer, "a  ab"), (Ids{2, 3, 2, 8}));
  EXPECT_EQ(encode(tokenizer, "a   c"), (Ids{2, 3, 10, 2, 5}));
  EXPECT_EQ(encode(tokenizer, "   "), (Ids{10, 10}));
  EXPECT_EQ(encode(tokenizer, ""), Ids{});
}

TEST(BpeTokenizer, FindsAddedTokensAndNormalizesEachPieceBetween) {
  EXPECT_EQ(encode(open(kJson), "<s>ab<s> a<s"), (Ids{1, 8, 1, 10, 3, 0}));
}

TEST(BpeTokenizer, FallsBackToBytesAndFusesTheUnknown) {
  const auto tokenizer = open(kJson);
  EXPECT_EQ(encode(tokenizer, "é\n"), (Ids{2, 13, 14}));
  EXPECT_EQ(encode(tokenizer, "xyz"), (Ids{2, 0}));
  EXPECT_EQ(encode(tokenizer, "\xC3\xA9\xC3"), (Ids{2, 13, 11}));
  EXPECT_EQ(
      encode(open(with(std::string{kJson}, R"("fuse_unk": true)", R"("fuse_unk": false)")), "xyz"),
      (Ids{2, 0, 0, 0}));
  EXPECT_EQ(
      encode(open(with(std::string{kJson}, R"("unk_token": "<unk>")", R"("unk_token": null)")),
             "xaz"),
      (Ids{2, 3}));
}

TEST(BpeTokenizer, IsNotSplitAtWordsWhenAMergeCrossesThem) {
  std::string json = with(std::string{kJson}, R"("<0x0A>": 14)", R"("<0x0A>": 14, "c▁": 15)");
  json = with(json, R"("ab c"])", R"("ab c", "c ▁"])");
  const auto tokenizer = open(json);
  EXPECT_FALSE(tokenizer->is_split_at_words());
  EXPECT_EQ(encode(tokenizer, "c a"), (Ids{2, 15, 3}));
}

TEST(BpeTokenizer, MarksAroundWordsThatVanishAreNeighbours) {
  const auto tokenizer =
      open(with(std::string{kJson}, R"("unk_token": "<unk>")", R"("unk_token": null)"));
  EXPECT_FALSE(tokenizer->is_split_at_words());
  EXPECT_EQ(encode(tokenizer, "x y"), (Ids{10}));
}

TEST(BpeTokenizer, MatchesNormalizedAddedTokensAfterNormalizing) {
  const std::string json =
      with(std::string{kJson}, R"("normalized": false)", R"("normalized": true)");
  EXPECT_EQ(encode(open(json), "<s>a"), (Ids{1, 3}));
  EXPECT_EQ(encode(open(json), "a <s>"), (Ids{2, 3, 1}));
}

TEST(BpeTokenizer, RefusesWhatItWouldGetWrong) {
  const std::pair<const char*, const char*> changes[] = {
      {R"("pre_tokenizer": null)", R"("pre_tokenizer": {"type": "Whitespace"})"},
      {R"("pre_tokenizer": null)", R"("pre_tokenizer": null, "truncation": {"max_length": 3})"},
      {R"("type": "Prepend")", R"("type": "NFKC")"},
      {R"({"String": " "})", R"({"Regex": " "})"},
      {R"("type": "BPE")", R"("type": "Unigram")"},
      {R"("dropout": null)", R"("dropout": 0.1)"},
      {R"("fuse_unk": true)", R"("ignore_merges": true)"},
      {R"("fuse_unk": true)", R"("end_of_word_suffix": "</w>")"},
      {R"("special": true)", R"("lstrip": true)"},
      {R"("unk_token": "<unk>")", R"("unk_token": "<missing>")"},
      {R"("b c")", R"("b d")"},
      {R"("b c")", R"("bc")"},
      {R"("a": 3)", R"("a": -3)"},
      {R"("a": 3)", R"("a": 4294967297)"},
      {R"("a": 3)", R"("": 3)"},
  };
  for (const auto& [what, instead] : changes) {
    const auto tokenizer = open(with(std::string{kJson}, what, instead));
    ASSERT_FALSE(tokenizer.ok()) << instead;
    EXPECT_EQ(tokenizer.error().kind(), ErrorKind::config) << instead;
  }
  for (const char* json : {"", "{", "[]", "null", "{}", R"({"model": 7})", "\xFF\xFE"}) {
    EXPECT_FALSE(open(json).ok()) << json;
  }
}

TEST(BpeTokenizer, RefusesNormalizersNestedWithoutEnd) {
  constexpr std::size_t kDepth = 100'000;
  std::string nested;
  for (std::size_t i = 0; i < kDepth; ++i)
    nested += R"({"type": "Sequence", "normalizers": [)";
  for (std::size_t i = 0; i < kDepth; ++i)
    nested += "]}";
  const auto tokenizer = open(R"({"normalizer": )" + nested + "}");
  ASSERT_FALSE(tokenizer.ok());
  EXPECT_EQ(tokenizer.error().kind(), ErrorKind::config);
}

TEST(BpeTokenizer, TakesTimeInProportionToALongWord) {
  const auto tokenizer = open(kJson);
  ASSERT_TRUE(tokenizer.ok());
  std::string text;
  while (text.size() < 1'000'000)
    text += "abcab";
  BpeTokenizer::Scratch scratch;
  Ids ids;
  const auto start = std::chrono::steady_clock::now();
  tokenizer->encode(text, scratch, ids);
  EXPECT_GT(ids.size(), 400'000U);
  // A second on a slow machine; quadratic time would be hours.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds{20});
}

}  // namespace
}  // namespace freshet
