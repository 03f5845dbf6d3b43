#include "transforms/embed/embed_transform.h"

#include <limits>

#include <gtest/gtest.h>

#include "freshet/arena.h"
#include "transforms/embed/vector_text.h"
#include "transforms/testing/rows.h"

namespace freshet {
namespace {

using testing::Changes;
using testing::people;
using testing::text;

// Two floats: the text's length and a half.
class LengthEmbedder final : public Embedder {
 public:
  Result<std::size_t> dimensions() override { return std::size_t{2}; }

  Status embed(std::span<const std::string_view> texts, std::span<float> vectors) override {
    ++call_count;
    for (std::size_t at = 0; at < texts.size(); ++at) {
      EXPECT_FALSE(texts[at].empty());
      if (texts[at] == "bad") return Error{ErrorKind::data, "refused"}.with("text_index", at);
      vectors[at * 2] = static_cast<float>(texts[at].size());
      vectors[at * 2 + 1] = 0.5F;
    }
    return ok_status();
  }

  int call_count = 0;
};

class Embed : public ::testing::Test {
 protected:
  LengthEmbedder embedder_;
  TableSchema schema_ = people({"id", "content"});
  EmbedTransform transform_{{.table = schema_.name, .from = "content", .into = "embedding"},
                            embedder_};
  Arena arena_;
};

TEST_F(Embed, AppendsADerivedVectorColumn) {
  const auto output = transform_.output_schema(std::make_shared<TableSchema>(schema_));
  ASSERT_TRUE(output.ok());
  ASSERT_EQ((*output)->columns.size(), 3U);
  const Column& column = (*output)->columns.back();
  EXPECT_EQ(column.name, "embedding");
  EXPECT_EQ(column.type_sql, "vector(2)");
  EXPECT_TRUE(column.is_derived);
  EXPECT_FALSE(column.is_not_null);
  EXPECT_FALSE(column.is_identity);
}

TEST_F(Embed, RefusesAMissingColumnAndNamesTheNearest) {
  EmbedTransform misspelt{{.table = schema_.name, .from = "contnet", .into = "v"}, embedder_};
  const auto output = misspelt.output_schema(std::make_shared<TableSchema>(schema_));
  ASSERT_FALSE(output.ok());
  EXPECT_EQ(output.error().kind(), ErrorKind::config);
  EXPECT_NE(output.error().fix().find("`content`"), std::string::npos);
}

TEST_F(Embed, RefusesToWriteIntoAColumnOfTheSource) {
  EmbedTransform clash{{.table = schema_.name, .from = "content", .into = "id"}, embedder_};
  const auto output = clash.output_schema(std::make_shared<TableSchema>(schema_));
  ASSERT_FALSE(output.ok());
  EXPECT_EQ(output.error().kind(), ErrorKind::config);
}

TEST_F(Embed, FillsTheColumnInOneCall) {
  Changes changes;
  changes.insert({text("1"), text("abc")});
  changes.insert({text("2"), Value::null()});
  changes.insert({text("3"), text("")});
  changes.update({text("1"), Value::null()}, {text("9"), text("abcd")});
  changes.update({}, {text("9"), Value::unchanged()});
  changes.remove({text("9"), Value::null()});
  ASSERT_TRUE(transform_.apply(schema_, changes.all(), arena_).ok());
  EXPECT_EQ(embedder_.call_count, 1);
  EXPECT_EQ(changes[0].after[2].view(), "[3,0.5]");
  EXPECT_EQ(changes[0].after[1].view(), "abc");
  EXPECT_TRUE(changes[1].after[2].is_null());
  EXPECT_TRUE(changes[2].after[2].is_null());
  EXPECT_EQ(changes[3].after[2].view(), "[4,0.5]");
  ASSERT_EQ(changes[3].before.size(), 3U);
  EXPECT_TRUE(changes[3].before[2].is_null());
  EXPECT_TRUE(changes[4].after[2].is_unchanged());
  EXPECT_TRUE(changes[4].before.empty());
  EXPECT_TRUE(changes[5].after.empty());
  ASSERT_EQ(changes[5].before.size(), 3U);
  EXPECT_EQ(transform_.text_count(), 2U);
}

TEST_F(Embed, ATextThatWasNotSentIsTakenFromAWholeOldRow) {
  Changes changes;
  changes.update({text("1"), text("abc")}, {text("2"), Value::unchanged()}, OldRow::full);
  changes.update({text("1"), Value::null()}, {text("2"), Value::unchanged()}, OldRow::key);
  ASSERT_TRUE(transform_.apply(schema_, changes.all(), arena_).ok());
  EXPECT_EQ(changes[0].after[2].view(), "[3,0.5]");
  EXPECT_TRUE(changes[0].after[1].is_unchanged());
  EXPECT_TRUE(changes[1].after[2].is_unchanged());
}

TEST_F(Embed, EmbedsMoreTextsThanFitOneCall) {
  Changes changes;
  const std::string words(10'000, 'x');
  for (std::size_t i = 0; i < 10'000; ++i) {
    changes.insert({text("1"), text(std::string_view{words}.substr(0, i % 100 + 1))});
  }
  ASSERT_TRUE(transform_.apply(schema_, changes.all(), arena_).ok());
  EXPECT_EQ(embedder_.call_count, 3);
  for (std::size_t i = 0; i < 10'000; ++i) {
    ASSERT_EQ(changes[i].after[2].view(), "[" + std::to_string(i % 100 + 1) + ",0.5]");
  }
}

TEST_F(Embed, NamesTheChangeWhoseTextIsRefused) {
  Changes changes;
  changes.insert({text("1"), Value::null()});
  changes.insert({text("2"), text("fine")});
  changes.insert({text("3"), text("bad")});
  const Status status = transform_.apply(schema_, changes.all(), arena_);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind(), ErrorKind::data);
  EXPECT_EQ(status.error().find("table"), "public.people");
  EXPECT_EQ(status.error().find("ordinal"), "2");
  EXPECT_EQ(status.error().find("commit_lsn"), "0/1000");
}

TEST(VectorText, IsShortestThatReadsBack) {
  std::string out = "x";
  append_vector_text(std::vector<float>{0.1F, -2.0F, 1e-5F, 0.0F, 16777216.0F}, out);
  EXPECT_EQ(out, "x[0.1,-2,1e-05,0,16777216]");
  out.clear();
  append_vector_text({}, out);
  EXPECT_EQ(out, "[]");
  out.clear();
  constexpr float kMost = std::numeric_limits<float>::max();
  append_vector_text(std::vector<float>(100, -kMost), out);
  EXPECT_EQ(std::strtof(out.c_str() + 1, nullptr), -kMost);
}

}  // namespace
}  // namespace freshet
