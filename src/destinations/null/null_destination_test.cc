#include <fstream>
#include <functional>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/testing/scratch_directory.h"
#include "destinations/contract/testing/batch.h"
#include "destinations/null/encoding.h"
#include "destinations/null/writer.h"

namespace freshet {
namespace {

using testing_rows::Batch;
using testing_rows::text_table;

const SchemaPtr kItems = text_table({.schema = "public", .table = "items"}, {"id", "name"});

TEST(NullDestination, RowsHashAsTheDocumentedPythonDoes) {
  const SchemaPtr schema =
      text_table({.schema = "public", .table = "items"}, {"id", "name", "note"});
  Batch batch(schema);
  batch.insert({"1", "a", "x"}).insert({"2", "b", nullptr});
  EXPECT_EQ(row_hash(batch.changes()[0].after), 0xB5931F7DE3D8950DU);
  EXPECT_EQ(row_hash(batch.changes()[0].after) + row_hash(batch.changes()[1].after),
            0x1F027F96287A0316U);
}

// What a copy of one range reported as its sum.
std::string copied_sum(const std::function<Status(RangeWriter&)>& fill) {
  const ScratchDirectory scratch;
  const std::string path = scratch.path("report.json");
  auto made = make_null_destination({.name = "nothing", .url = "null:" + path, .vector_index = {}});
  if (!made.ok()) return "";
  auto writer = (*made)->begin_range(kItems, {.table = kItems->name, .index = 0, .count = 1});
  if (!writer.ok() || !fill(**writer).ok() || !(*writer)->finish().ok()) return "";
  if (!(*made)->close({}).ok()) return "";
  const auto report = nlohmann::json::parse(std::ifstream(path));
  return report.at("tables").at("public.items").at("copied").at("sum").dump();
}

TEST(NullDestination, CopiedTextSumsAsTheRowsThatItStandsFor) {
  Batch batch(kItems);
  batch.insert({"1", "a\tb\\c\nd"}).insert({"2", nullptr}).insert({"", "\\N"});
  const std::string rows = copied_sum([&](RangeWriter& to) { return to.rows(batch.changes()); });
  const std::string text = copied_sum(
      [&](RangeWriter& to) { return to.raw_rows("1\ta\\tb\\\\c\\nd\n2\t\\N\n\t\\\\N\n"); });
  EXPECT_FALSE(rows.empty());
  EXPECT_EQ(text, rows);
}

TEST(NullDestination, OrderOfColumnsCountsOrderOfRowsDoesNot) {
  Batch batch(kItems);
  batch.insert({"1", "2"}).insert({"2", "1"});
  EXPECT_NE(row_hash(batch.changes()[0].after), row_hash(batch.changes()[1].after));
}

TEST(NullDestination, ReportHoldsCountsAndSumsOfWhatWasCommitted) {
  const ScratchDirectory scratch;
  const std::string path = scratch.path("report.json");
  auto made = make_null_destination({.name = "nothing", .url = "null:" + path, .vector_index = {}});
  ASSERT_TRUE(made.ok());
  Destination& destination = **made;
  ASSERT_TRUE(destination.open({.pipeline = "p", .epoch = 1, .holder = "h"}).ok());
  for (int attempt = 0; attempt < 2; ++attempt) {  // A range that is copied again replaces.
    auto writer = destination.begin_range(kItems, {.table = kItems->name, .index = 4, .count = 5});
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE((*writer)->raw_rows("1\ta\n2\t\\N\n").ok());
    ASSERT_TRUE((*writer)->finish().ok());
  }
  Batch whole(kItems, 0x2000);
  whole.insert({"3", "c"}).remove(OldRow::key, {"3", nullptr});
  const freshet::Run run = whole.run();
  Group group;
  group.runs = {&run, 1};
  group.upto = whole.position();
  ASSERT_EQ(destination.write(group, Durability::may_defer).value(), whole.position());
  group.is_complete = false;
  ASSERT_EQ(destination.write(group, Durability::may_defer).value(), whole.position());
  ASSERT_TRUE(destination.close({}).ok());

  const auto report = nlohmann::json::parse(std::ifstream(path));
  EXPECT_EQ(report.at("position"), "0/2000");
  const auto& table = report.at("tables").at("public.items");
  EXPECT_EQ(table.at("copied").at("rows"), 2);
  EXPECT_EQ(table.at("inserted").at("rows"), 1);
  EXPECT_EQ(table.at("deleted").at("rows"), 1);
  EXPECT_EQ(table.at("updated").at("rows"), 0);
}

TEST(NullDestination, ReportThatCannotBeWrittenIsAnError) {
  auto made = make_null_destination(
      {.name = "nothing", .url = "null:/nowhere/report.json", .vector_index = {}});
  ASSERT_TRUE(made.ok());
  const Status status = (*made)->close({});
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind(), ErrorKind::storage);
}

}  // namespace
}  // namespace freshet
