#include "embedders/http/embedding_json.h"

#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace freshet {
namespace {

TEST(EmbeddingRequest, CarriesTextsAsTheyAre) {
  const std::vector<std::string_view> texts{"a \"quoted\" text\n", "שלום", "\xFF"};
  const auto json = nlohmann::json::parse(make_embedding_request("m", texts, 0));
  EXPECT_EQ(json["model"], "m");
  EXPECT_EQ(json["input"][0], "a \"quoted\" text\n");
  EXPECT_EQ(json["input"][1], "שלום");
  EXPECT_EQ(json["input"].size(), 3U);
  EXPECT_FALSE(json.contains("dimensions"));
  EXPECT_EQ(nlohmann::json::parse(make_embedding_request("m", texts, 8))["dimensions"], 8);
}

TEST(EmbeddingAnswer, IsPutInOrderOfIndex) {
  std::vector<float> vectors(4);
  const Status status = read_embeddings(
      R"({"data":[{"index":1,"embedding":[3,4]},{"index":0,"embedding":[1,2.5]}]})", 2, 2, vectors);
  ASSERT_TRUE(status.ok()) << status.error().describe();
  EXPECT_EQ(vectors, (std::vector<float>{1, 2.5, 3, 4}));
}

TEST(EmbeddingAnswer, IsRefusedAsDataWhenVectorsDoNotFit) {
  std::vector<float> vectors(2);
  for (const char* answer :
       {R"({"data":[]})", R"({"data":[{"embedding":[1,2,3]}]})", R"({"data":[{"embedding":[1]}]})",
        R"({"data":[{"embedding":[1,NaN]}]})", R"({"data":[{"embedding":[1,-Infinity]}]})",
        R"({"data":[{"embedding":[1,null]}]})", R"({"data":[{"embedding":[1,1e39]}]})",
        R"({"data":[{"embedding":[1,2]},{"embedding":[1,2]}]})"}) {
    const Status status = read_embeddings(answer, 1, 2, vectors);
    ASSERT_FALSE(status.ok()) << answer;
    EXPECT_EQ(status.error().kind(), ErrorKind::data) << answer;
  }
}

TEST(EmbeddingAnswer, NamesExpectedAndGotDimension) {
  std::vector<float> vectors(2);
  const Status status = read_embeddings(R"({"data":[{"embedding":[1,2,3]}]})", 1, 2, vectors);
  EXPECT_EQ(status.error().find("expected"), "2");
  EXPECT_EQ(status.error().find("got"), "3");
}

TEST(EmbeddingAnswer, OfAnotherShapeIsAProtocolError) {
  std::vector<float> vectors(4);
  for (const char* answer :
       {"", "{", "[]", "null", "7", R"({"data":7})", R"({"data":[1,2]})",
        R"({"data":[{"index":0,"embedding":[1,2]},{"index":0,"embedding":[1,2]}]})",
        R"({"data":[{"index":2,"embedding":[1,2]},{"index":0,"embedding":[1,2]}]})",
        R"({"data":[{"index":-1,"embedding":[1,2]},{"index":0,"embedding":[1,2]}]})",
        R"({"data":[{"embedding":["a","b"]},{"embedding":[1,2]}]})", "\xFF\xFE"}) {
    const Status status = read_embeddings(answer, 2, 2, vectors);
    ASSERT_FALSE(status.ok()) << answer;
    EXPECT_EQ(status.error().kind(), ErrorKind::protocol) << answer;
  }
}

TEST(EmbeddingAnswer, TellsTheDimension) {
  EXPECT_EQ(read_dimension(R"({"data":[{"embedding":[1,2,3]}]})").value(), 3U);
  EXPECT_FALSE(read_dimension(R"({"data":[{"embedding":[]}]})").ok());
  EXPECT_FALSE(read_dimension(R"({"data":[]})").ok());
}

TEST(Complaint, TakesOverNoTextThatCouldBeARowsOrAKey) {
  EXPECT_EQ(read_complaint(R"({"error":{"code":"bad input: 'John'"}})").code, "");
  EXPECT_EQ(read_complaint(R"({"error":{"code":null,"type":"invalid_request_error"}})").code,
            "invalid_request_error");
  EXPECT_EQ(read_complaint("<html>").code, "");
  EXPECT_TRUE(read_complaint(R"({"error":"Input is too long"})").is_text_too_long);
}

}  // namespace
}  // namespace freshet
