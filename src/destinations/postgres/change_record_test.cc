// What quarantine keeps of a change, and that it is the same change afterwards.
#include "destinations/postgres/change_record.h"

#include <gmock/gmock.h>

#include "destinations/contract/testing/batch.h"
#include "destinations/postgres/stored_change.h"
#include "types/op_name.h"

namespace freshet::postgres {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing_rows::Batch;
using testing_rows::Cell;

SchemaPtr table_of(bool has_key) {
  auto schema = std::make_shared<TableSchema>();
  schema->name = {.schema = "public", .table = "t"};
  schema->identity = has_key ? ReplicaIdentity::standard : ReplicaIdentity::full;
  for (const char* name : {"id", "v", "big"}) {
    Column column;
    column.name = name;
    column.is_identity = !has_key || schema->columns.empty();
    schema->columns.push_back(column);
  }
  return schema;
}

Target target_of(Addressing addressing) {
  Target target;
  target.schema = table_of(addressing != Addressing::whole_row);
  target.addressing = addressing;
  target.all = {0, 1, 2};
  target.compared = target.all;
  if (addressing != Addressing::whole_row && addressing != Addressing::none) target.key = {0};
  return target;
}

QuarantineEntry entry_of(const Target& target, const Change& change) {
  auto record = record_of(target, change, keys_of(target, change));
  EXPECT_TRUE(record.ok()) << record.error().describe();
  QuarantineEntry entry;
  entry.id = 1;
  entry.table = target.schema->name;
  entry.op = to_string(change.op);
  entry.keys = record->keys;
  entry.key_columns = record->key_columns;
  entry.before = record->before.value_or("");
  entry.after = record->after.value_or("");
  entry.unchanged = record->unchanged;
  entry.addressing = to_string(target.addressing);
  return entry;
}

TEST(KeysOf, AMovedRowConcernsBothItsKeys) {
  const Target target = target_of(Addressing::netted);
  Batch batch(target.schema);
  batch.insert({"a\tb", "1", nullptr})
      .update(OldRow::key, {"1", nullptr, nullptr}, {"2", "x", "y"})
      .update(OldRow::full, {"1", "w", "y"}, {"1", "x", "y"})
      .remove(OldRow::key, {"3", nullptr, nullptr});
  EXPECT_THAT(keys_of(target, batch.changes()[0]), ElementsAre("a\\tb"));
  EXPECT_THAT(keys_of(target, batch.changes()[1]), ElementsAre("2", "1"));
  EXPECT_THAT(keys_of(target, batch.changes()[2]), ElementsAre("1"));
  EXPECT_THAT(keys_of(target, batch.changes()[3]), ElementsAre("3"));
}

TEST(KeysOf, WhereOnlyTheServerComparesKeysEveryOneIsMeant) {
  const Target target = target_of(Addressing::ordered);
  Batch batch(target.schema);
  batch.insert({"1.0", "1", nullptr});
  EXPECT_THAT(keys_of(target, batch.changes()[0]), ElementsAre(std::string{kEveryKey}));
}

TEST(KeysOf, ARowWithoutAKeyIsItsOwn) {
  const Target target = target_of(Addressing::whole_row);
  Batch batch(target.schema);
  batch.insert({"1", "x", nullptr})
      .update(OldRow::full, {"1", "x", nullptr}, {"1", "y", nullptr})
      .remove(OldRow::full, {"1", "y", nullptr});
  const auto inserted = keys_of(target, batch.changes()[0]);
  const auto updated = keys_of(target, batch.changes()[1]);
  ASSERT_EQ(updated.size(), 2U);
  EXPECT_THAT(inserted, ElementsAre(updated[1]));
  EXPECT_THAT(keys_of(target, batch.changes()[2]), ElementsAre(updated[0]));
  EXPECT_THAT(keys_of(target_of(Addressing::none), batch.changes()[0]), IsEmpty());
}

TEST(RecordOf, NullsAndValuesThatWereNotSentAreToldApart) {
  const Target target = target_of(Addressing::netted);
  Batch batch(target.schema);
  batch.update({"1", nullptr, Cell::unchanged()});
  const QuarantineEntry entry = entry_of(target, batch.changes()[0]);
  EXPECT_EQ(entry.after, R"({"id":"1","v":null})");
  EXPECT_EQ(entry.unchanged, R"(["big"])");
  EXPECT_EQ(entry.before, "");
}

TEST(RecordOf, WhatTheOldRowTellsIsKept) {
  const Target target = target_of(Addressing::netted);
  Batch batch(target.schema);
  batch.update(OldRow::full, {"1", "x", "large"}, {"1", "y", Cell::unchanged()});
  const QuarantineEntry entry = entry_of(target, batch.changes()[0]);
  EXPECT_EQ(entry.after, R"({"id":"1","v":"y","big":"large"})");
  EXPECT_EQ(entry.unchanged, "[]");
}

TEST(RecordOf, BytesThatAreNoTextAreRefused) {
  const Target target = target_of(Addressing::netted);
  Batch batch(target.schema);
  batch.insert({"1", "\xff", nullptr});
  const auto record = record_of(target, batch.changes()[0], {});
  ASSERT_FALSE(record.ok());
  EXPECT_EQ(record.error().kind(), ErrorKind::data);
}

TEST(StoredChanges, AChangeComesBackAsItWas) {
  const Target target = target_of(Addressing::netted);
  Batch batch(target.schema);
  batch.update(OldRow::key, {"1", nullptr, nullptr}, {"2", nullptr, Cell::unchanged()})
      .remove(OldRow::key, {"2", nullptr, nullptr});
  StoredSchemas schemas;
  StoredChanges stored(schemas);
  for (const Change& change : batch.changes())
    ASSERT_TRUE(stored.add(entry_of(target, change)).ok());
  ASSERT_EQ(stored.places().size(), 2U);
  const auto& [id, schema, update] = stored.places()[0];
  const int key = schema->find("id");
  ASSERT_EQ(schema->columns.size(), 3U);
  EXPECT_TRUE(schema->columns[static_cast<std::size_t>(key)].is_identity);
  EXPECT_EQ(update.op, Op::update);
  EXPECT_EQ(update.old_row, OldRow::key);
  const auto at = [&](RowView row, const char* name) {
    return row[static_cast<std::size_t>(schema->find(name))];
  };
  EXPECT_EQ(at(update.before, "id").view(), "1");
  EXPECT_EQ(at(update.after, "id").view(), "2");
  EXPECT_TRUE(at(update.after, "v").is_null());
  EXPECT_TRUE(at(update.after, "big").is_unchanged());
  // A delete knows its key alone, and takes the shape of what came before.
  EXPECT_EQ(stored.places()[1].schema, schema);
  EXPECT_EQ(at(stored.places()[1].change.before, "id").view(), "2");
}

TEST(StoredChanges, WhatWasDerivedTellsNoRowsApart) {
  const Target target = target_of(Addressing::whole_row);
  auto made_for = std::make_shared<TableSchema>(*target.schema);
  made_for->columns.back().is_derived = true;
  StoredSchemas schemas({{made_for->name, made_for}});
  StoredChanges stored(schemas);
  Batch batch(target.schema);
  batch.remove(OldRow::full, {"1", "a", nullptr});
  ASSERT_TRUE(stored.add(entry_of(target, batch.changes().front())).ok());
  const SchemaPtr& schema = stored.places().front().schema;
  for (const Column& column : schema->columns)
    EXPECT_EQ(column.is_derived, column.name == made_for->columns.back().name) << column.name;
}

TEST(StoredChanges, DamageIsTold) {
  StoredSchemas schemas;
  StoredChanges stored(schemas);
  QuarantineEntry entry;
  entry.op = "insert";
  entry.after = "[1";
  entry.unchanged = "[]";
  entry.key_columns = "[]";
  entry.addressing = "key";
  EXPECT_EQ(stored.add(entry).error().kind(), ErrorKind::storage);
  EXPECT_EQ(parse_names("{}").error().kind(), ErrorKind::storage);
  EXPECT_EQ(parse_op("truncate"), std::nullopt);
}

}  // namespace
}  // namespace freshet::postgres
