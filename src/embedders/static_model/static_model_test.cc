// Against a real model: run by tests/test_embedders.py, which computes what is expected with the
// `tokenizers` package and NumPy. FRESHET_UTTERANCES names its file: one JSON object a line with
// text (or bytes in hex), ids and, on some lines, vector.
#include "embedders/static_model/static_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "embedders/static_model/static_table.h"

namespace freshet {
namespace {

using Json = nlohmann::json;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

class RealModel : public ::testing::Test {
 protected:
  void SetUp() override {
    if (environment("FRESHET_MODEL_DIR").empty() || environment("FRESHET_UTTERANCES").empty()) {
      GTEST_SKIP() << "FRESHET_MODEL_DIR and FRESHET_UTTERANCES are not set";
    }
    auto files = find_model_files(environment("FRESHET_MODEL_DIR"));
    ASSERT_TRUE(files.ok()) << files.error().describe();
    auto table = StaticTable::open(*files);
    ASSERT_TRUE(table.ok()) << table.error().describe();
    table_ = std::move(table).value();
    std::ifstream lines{environment("FRESHET_UTTERANCES")};
    for (std::string line; std::getline(lines, line);)
      cases_.push_back(Json::parse(line));
    ASSERT_GT(cases_.size(), 0U);
  }

  std::vector<float> embed(const std::string& text) {
    std::vector<float> vector(table_->dimensions().value());
    const std::array<std::string_view, 1> texts{text};
    EXPECT_TRUE(table_->embed(texts, vector).ok());
    return vector;
  }

  std::unique_ptr<StaticTable> table_;
  std::vector<Json> cases_;
};

TEST_F(RealModel, IdsEqualThoseOfTheTokenizersPackage) {
  std::size_t different = 0;
  for (std::size_t at = 0; at < cases_.size(); ++at) {
    const auto text = cases_[at]["text"].get<std::string>();
    const auto expected = cases_[at]["ids"].get<std::vector<std::uint32_t>>();
    const auto got = table_->tokenize(text);
    if (got == expected) continue;
    ++different;
    if (different < 10) {
      const auto place = std::mismatch(got.begin(), got.end(), expected.begin(), expected.end());
      ADD_FAILURE() << "line " << at + 1 << " differs at token " << place.first - got.begin()
                    << " of " << expected.size() << ": " << text.substr(0, 200);
    }
  }
  EXPECT_EQ(different, 0U);
}

TEST_F(RealModel, VectorsAreWithinOneHundredThousandthOfNumPy) {
  float worst = 0;
  std::size_t compared = 0;
  for (const Json& test : cases_) {
    if (!test.contains("vector")) continue;
    const auto expected = test["vector"].get<std::vector<float>>();
    const auto got = embed(test["text"].get<std::string>());
    ASSERT_EQ(got.size(), expected.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      worst = std::max(worst, std::abs(got[i] - expected[i]));
    }
    ++compared;
  }
  EXPECT_GT(compared, 0U);
  EXPECT_LT(worst, 1e-5F);
  RecordProperty("compared", static_cast<int>(compared));
  std::printf("compared %zu vectors, greatest difference %g\n", compared, worst);
}

TEST_F(RealModel, ThreadsGetTheSameVectors) {
  std::vector<std::string> texts;
  for (std::size_t at = 0; at < std::min<std::size_t>(cases_.size(), 2000); ++at) {
    texts.push_back(cases_[at]["text"].get<std::string>());
  }
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  const std::size_t width = table_->dimensions().value();
  std::vector<float> alone(views.size() * width);
  ASSERT_TRUE(table_->embed(views, alone).ok());
  std::array<std::vector<float>, 4> results;
  {
    std::vector<std::jthread> threads;
    for (auto& result : results) {
      result.resize(alone.size());
      threads.emplace_back([&] { EXPECT_TRUE(table_->embed(views, result).ok()); });
    }
  }
  for (const auto& result : results)
    EXPECT_EQ(result, alone);
}

TEST_F(RealModel, BytesThatAreNotUtf8AreEncodedOneByOne) {
  for (const std::string text : {"\xFF", "a\xC3", "\xED\xA0\x80", "\xF8\x88\x80\x80\x80",
                                 "\xE2\x96", "\xC0\x80 x", "\xF4\x90\x80\x80"}) {
    const auto ids = table_->tokenize(text);
    EXPECT_FALSE(ids.empty());
    for (const float value : embed(text))
      EXPECT_TRUE(std::isfinite(value));
  }
  // The model's byte tokens are 3 + byte; the first token is the word mark.
  EXPECT_EQ(table_->tokenize("\xFF\xFE").size(), 3U);
  EXPECT_EQ(table_->tokenize("\xFF\xFE").back(), 3U + 0xFE);
}

}  // namespace
}  // namespace freshet
