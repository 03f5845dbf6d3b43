#include "transforms/mask/mask_transform.h"

#include <gtest/gtest.h>

#include "freshet/arena.h"
#include "transforms/testing/rows.h"

namespace freshet {
namespace {

using testing::Changes;
using testing::people;
using testing::text;

class Mask : public ::testing::Test {
 protected:
  std::unique_ptr<MaskTransform> make(std::vector<ColumnMask> columns) {
    auto transform = MaskTransform::make(
        {.table = schema_.name, .columns = std::move(columns), .key = Secret{"key"}});
    EXPECT_TRUE(transform.ok());
    return std::move(transform).value();
  }

  std::string masked(MaskMethod method, std::string_view value) {
    Changes changes;
    changes.insert({text("1"), text(value)});
    EXPECT_TRUE(make({{"phone", method}})->apply(schema_, changes.all(), arena_).ok());
    return std::string{changes[0].after[1].view()};
  }

  Result<SchemaPtr> output(std::vector<ColumnMask> columns) {
    return make(std::move(columns))->output_schema(std::make_shared<TableSchema>(schema_));
  }

  TableSchema schema_ = people({"id", "phone"});
  Arena arena_;
};

// RFC 4231 and Wikipedia's example of HMAC-SHA-256 with the key "key".
TEST_F(Mask, HashesWithTheKey) {
  EXPECT_EQ(masked(MaskMethod::hash, "The quick brown fox jumps over the lazy dog"),
            "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8");
  auto hash = KeyedHash::make(Secret{std::string(20, '\x0b')});
  ASSERT_TRUE(hash.ok());
  const auto hex = hash->hash("Hi There");
  EXPECT_EQ(std::string(hex->begin(), hex->end()),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
}

TEST_F(Mask, HashesEveryValueAlikeAndAfresh) {
  Changes changes;
  for (const char* value : {"a", "b", "a", ""})
    changes.insert({text("1"), text(value)});
  const auto transform = make({{"phone", MaskMethod::hash}});
  ASSERT_TRUE(transform->apply(schema_, changes.all(), arena_).ok());
  EXPECT_EQ(changes[0].after[1].view(), changes[2].after[1].view());
  EXPECT_NE(changes[0].after[1].view(), changes[1].after[1].view());
  EXPECT_EQ(changes[3].after[1].view().size(), 64U);
}

TEST_F(Mask, ShowsTheLastFourCharacters) {
  EXPECT_EQ(masked(MaskMethod::last4, "+49 151 23451234"), "****1234");
  EXPECT_EQ(masked(MaskMethod::last4, "ключ-ÄÖÜß"), "****ÄÖÜß");
  EXPECT_EQ(masked(MaskMethod::last4, "12345"), "****2345");
  EXPECT_EQ(masked(MaskMethod::last4, "1234"), "****");
  EXPECT_EQ(masked(MaskMethod::last4, "ÄÖÜ"), "****");
  EXPECT_EQ(masked(MaskMethod::last4, ""), "****");
}

TEST_F(Mask, RedactsAndNulls) {
  EXPECT_EQ(masked(MaskMethod::redact, "secret"), "***");
  Changes changes;
  changes.insert({text("1"), text("secret")});
  ASSERT_TRUE(make({{"phone", MaskMethod::null}})->apply(schema_, changes.all(), arena_).ok());
  EXPECT_TRUE(changes[0].after[1].is_null());
}

TEST_F(Mask, TreatsOldRowsAndKeysAlike) {
  Changes changes;
  changes.update({text("a"), Value::null()}, {text("b"), Value::unchanged()});
  changes.remove({text("a"), Value::null()});
  const auto transform = make({{"id", MaskMethod::hash}, {"phone", MaskMethod::redact}});
  ASSERT_TRUE(transform->apply(schema_, changes.all(), arena_).ok());
  EXPECT_EQ(changes[0].before[0].view(), changes[1].before[0].view());
  EXPECT_NE(changes[0].before[0].view(), changes[0].after[0].view());
  EXPECT_TRUE(changes[0].before[1].is_null());
  EXPECT_TRUE(changes[0].after[1].is_unchanged());
  EXPECT_TRUE(changes[1].after.empty());
}

TEST_F(Mask, AKeyColumnMayBeHashedOnly) {
  schema_.columns[0].is_identity = true;
  EXPECT_TRUE(output({{"id", MaskMethod::hash}}).ok());
  for (const MaskMethod method : {MaskMethod::redact, MaskMethod::null, MaskMethod::last4}) {
    const auto refused = output({{"id", method}});
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().kind(), ErrorKind::config);
  }
  schema_.identity = ReplicaIdentity::full;
  EXPECT_TRUE(output({{"id", MaskMethod::redact}}).ok());
  schema_.columns[0].primary_key_place = 1;
  EXPECT_FALSE(output({{"id", MaskMethod::redact}}).ok());
}

TEST_F(Mask, MakesTheColumnText) {
  schema_.columns[1].type = Oid{23};
  schema_.columns[1].type_sql = "integer";
  schema_.columns[1].is_not_null = true;
  EXPECT_EQ((*output({{"phone", MaskMethod::hash}}))->columns[1].type_sql, "text");
  EXPECT_TRUE((*output({{"phone", MaskMethod::hash}}))->columns[1].is_not_null);
  const auto nulled = output({{"phone", MaskMethod::null}});
  EXPECT_EQ((*nulled)->columns[1].type_sql, "integer");
  EXPECT_FALSE((*nulled)->columns[1].is_not_null);
}

TEST_F(Mask, HidesTheValueThatOldRowsHaveToo) {
  schema_.columns[1].missing_value = std::make_shared<const std::string>("+49 151 1234");
  EXPECT_EQ(*(*output({{"phone", MaskMethod::redact}}))->columns[1].missing_value, "***");
  EXPECT_EQ((*output({{"phone", MaskMethod::null}}))->columns[1].missing_value, nullptr);
}

TEST_F(Mask, RefusesWhatCannotBeDone) {
  EXPECT_EQ(output({{"phnoe", MaskMethod::redact}}).error().fix(), "did you mean `phone`?");
  EXPECT_FALSE(MaskTransform::make({.table = {}, .columns = {{"a", MaskMethod::hash}}}).ok());
  EXPECT_FALSE(MaskTransform::make(
                   {.table = {}, .columns = {{"a", MaskMethod::redact}, {"a", MaskMethod::null}}})
                   .ok());
}

TEST_F(Mask, RefusesToHashABinaryValueThatIsNotText) {
  schema_.columns[1].type = Oid{23};
  const char bytes[] = {0, 0, 0, 7};
  Changes changes;
  changes.insert({text("1"), Value{bytes, 4, ValueKind::binary}});
  const Status status = make({{"phone", MaskMethod::hash}})->apply(schema_, changes.all(), arena_);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind(), ErrorKind::unsupported);
}

TEST(MaskKey, IsRandom) {
  const auto first = generate_mask_key();
  const auto second = generate_mask_key();
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->reveal().size(), 64U);
  EXPECT_NE(first->reveal(), second->reveal());
}

}  // namespace
}  // namespace freshet
