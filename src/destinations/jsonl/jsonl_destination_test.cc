// What befalls files of JSON lines: crashes, lost pages, full disks, other writers, closed pipes.
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/testing/scratch_directory.h"
#include "destinations/contract/testing/batch.h"
#include "destinations/contract/testing/jsonl_replay.h"
#include "destinations/jsonl/writer.h"

namespace freshet {
namespace {

using testing_rows::Batch;
using testing_rows::Cell;
using testing_rows::text_table;

const SchemaPtr kItems = text_table({.schema = "public", .table = "items"}, {"id", "note"});
const SlotIdentity kSlot{.system_identifier = "74",
                         .timeline = 1,
                         .slot_name = "s",
                         .consistent_point = Lsn{1},
                         .epoch = "e"};

std::unique_ptr<Destination> make(const std::string& path) {
  auto made = make_jsonl_destination({.name = "lines", .url = "jsonl:" + path, .vector_index = {}});
  EXPECT_TRUE(made.ok());
  return std::move(made).value();
}

Result<DestinationState> open(Destination& destination, const std::string& pipeline = "shop") {
  return destination.open({.pipeline = pipeline, .epoch = 1, .holder = "here"});
}

Result<Position> write(Destination& destination,
                       const Batch& batch,
                       Durability durability = Durability::may_defer) {
  const freshet::Run run = batch.run();
  Group group;
  group.runs = {&run, 1};
  group.upto = batch.position();
  return destination.write(group, durability);
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

class JsonlFile : public testing::Test {
 protected:
  // A slot, then `groups` transactions that insert row n each; their positions are n * 0x100.
  void fill(int groups) {
    const auto destination = make(path_);
    ASSERT_TRUE(open(*destination).ok());
    ASSERT_TRUE(destination->adopt_slot(kSlot, {Lsn{0x10}}).ok());
    for (int n = 1; n <= groups; ++n) {
      Batch batch(kItems, static_cast<std::uint64_t>(n) * 0x100);
      batch.insert({std::to_string(n), "note"});
      ASSERT_TRUE(write(*destination, batch).ok());
    }
  }

  // Opens, and gives the position and how many rows are there.
  std::pair<std::uint64_t, std::size_t> reopened() {
    const auto destination = make(path_);
    const auto state = open(*destination);
    EXPECT_TRUE(state.ok()) << state.error().describe();
    if (!state.ok() || !state->position) return {0, replay_jsonl(path_, *kItems).size()};
    return {to_integer(state->position->end), replay_jsonl(path_, *kItems).size()};
  }

  ScratchDirectory directory_;
  std::string path_ = directory_.path("out.jsonl");
};

TEST_F(JsonlFile, LinesAreAsDocumented) {
  auto schema = std::make_shared<TableSchema>(*kItems);
  const auto add = [&](const char* name, unsigned oid, const char* type) {
    Column column;
    column.name = name;
    column.type = Oid{oid};
    column.type_sql = type;
    schema->columns.push_back(column);
  };
  add("big", 20, "bigint");
  add("ok", 16, "boolean");
  add("ratio", 701, "double precision");
  add("doc", 114, "json");
  add("embedding", 0, "vector(2)");
  const auto destination = make(path_);
  ASSERT_TRUE(open(*destination).ok());
  ASSERT_TRUE(destination->adopt_slot(kSlot, {Lsn{0x10}}).ok());
  Batch batch(schema, 0x1'0000'0100);
  batch.update(
      {"7", Cell::unchanged(), "9007199254740993", "t", "NaN", "{\n \"a\": 1.0}", "[1,0.5]"});
  batch.remove(OldRow::key, {"7", nullptr, nullptr, nullptr, nullptr, nullptr, nullptr});
  ASSERT_TRUE(write(*destination, batch).ok());
  const std::string lines = read_file(path_);
  EXPECT_NE(lines.find(R"({"op":"update","table":"public.items","key":{"id":7},"before":null,)"
                       R"("before_is":null,"after":{"id":7,"big":"9007199254740993","ok":true,)"
                       R"("ratio":"NaN","doc":{  "a": 1.0},"embedding":[1,0.5]},)"
                       R"("unchanged":["note"],"lsn":"1/F8","commit_lsn":"1/F8","ordinal":0,)"
                       R"("committed_at":"2022-03-07T20:26:40.000000Z"})"
                       "\n"),
            std::string::npos)
      << lines;
  EXPECT_NE(lines.find(R"({"op":"delete","table":"public.items","key":{"id":7},"before":{"id":7},)"
                       R"("before_is":"key","after":null,"unchanged":[],)"),
            std::string::npos)
      << lines;
  EXPECT_NE(lines.find("\n{\"op\":\"position\",\"lsn\":\"1/100\","), std::string::npos) << lines;
}

TEST_F(JsonlFile, CutAtEveryByteItResumesAtTheLastWholePosition) {
  fill(2);
  const std::string bytes = read_file(path_);
  std::uint64_t last = 0;
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    write_file(path_, bytes.substr(0, size));
    const auto [position, rows] = reopened();
    EXPECT_GE(position, last);
    EXPECT_EQ(rows, position / 0x100) << "after a cut at " << size;
    last = position;
  }
  EXPECT_EQ(last, 0x200U);
}

TEST_F(JsonlFile, LostPageBeforeThePositionIsNoticed) {
  std::string bytes;
  std::size_t line = 0;
  // A slow machine syncs in between; what is known to be on the disk is not looked at again.
  do {
    unlink(path_.c_str());
    fill(4);
    bytes = read_file(path_);
    line = bytes.find("\"key\":{\"id\":3}");
    ASSERT_NE(line, std::string::npos);
  } while (std::stoul(bytes.substr(bytes.rfind("\"synced\":") + 9)) > line);
  std::string holed = bytes;
  holed.replace(line, 30, 30, '\0');
  write_file(path_, holed);
  const auto [position, rows] = reopened();
  EXPECT_EQ(position, 0x200U);
  EXPECT_EQ(rows, 2U);
}

TEST_F(JsonlFile, DurablePositionFollowsTheSync) {
  const auto destination = make(path_);
  ASSERT_TRUE(open(*destination).ok());
  ASSERT_TRUE(destination->adopt_slot(kSlot, {Lsn{0x10}}).ok());
  Batch batch(kItems, 0x100);
  batch.insert({"1", "a"});
  EXPECT_LE(write(*destination, batch).value(), batch.position());
  EXPECT_EQ(
      destination->write({.runs = {}, .phases = {}, .upto = {Lsn{0x100}}}, Durability::required)
          .value(),
      batch.position());
}

TEST_F(JsonlFile, ForeignFilesAreLeftAlone) {
  write_file(path_, "{\"my\":\"data\"}\n");
  const auto foreign = open(*make(path_));
  ASSERT_FALSE(foreign.ok());
  EXPECT_EQ(foreign.error().kind(), ErrorKind::config);
  EXPECT_EQ(read_file(path_), "{\"my\":\"data\"}\n");
  unlink(path_.c_str());
  fill(1);
  const auto other = open(*make(path_), "another");
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().find("pipeline"), "shop");
}

TEST_F(JsonlFile, ColumnsAreToldAheadOfTheRowsOfACopyAndOnce) {
  const SchemaPtr wider =
      text_table({.schema = "public", .table = "items"}, {"id", "note", "added"});
  const auto destination = make(path_);
  ASSERT_TRUE(open(*destination).ok());
  ASSERT_TRUE(destination->adopt_slot(kSlot, {Lsn{0x10}}).ok());
  ASSERT_TRUE(destination->evolve(kItems, wider).ok());
  ASSERT_TRUE(destination->reset_table(wider).ok());
  auto writer = destination->begin_range(wider, {.table = wider->name});
  ASSERT_TRUE(writer.ok());
  Batch row(wider);
  row.insert({"1", "a", "b"});
  ASSERT_TRUE((*writer)->rows(row.changes()).ok());
  ASSERT_TRUE((*writer)->finish().ok());
  Batch batch(wider, 0x100);
  batch.insert({"2", "a", "b"});
  ASSERT_TRUE(write(*destination, batch).ok());
  const std::string lines = read_file(path_);
  const std::size_t told = lines.find("\"op\":\"schema\"");
  EXPECT_LT(lines.find("\"op\":\"reset\""), told);
  EXPECT_LT(told, lines.find("\"op\":\"copy\"")) << lines;
  EXPECT_EQ(told, lines.rfind("\"op\":\"schema\"")) << lines;
}

TEST_F(JsonlFile, ConcurrentRangesAndChangesKeepLinesWhole) {
  const auto destination = make(path_);
  ASSERT_TRUE(open(*destination).ok());
  ASSERT_TRUE(destination->adopt_slot(kSlot, {Lsn{0x10}}).ok());
  ASSERT_TRUE(destination->reset_table(kItems).ok());
  constexpr int kRanges = 4;
  constexpr int kRows = 2000;
  std::vector<std::jthread> copiers;
  for (int range = 0; range < kRanges; ++range) {
    copiers.emplace_back([&, range] {
      auto writer = destination->begin_range(
          kItems,
          {.table = kItems->name, .index = static_cast<std::uint32_t>(range), .count = kRanges});
      for (int i = 0; i < kRows; ++i) {
        Batch row(kItems);
        row.insert({std::to_string(range * kRows + i), std::string(200, 'n')});
        EXPECT_TRUE((*writer)->rows(row.changes()).ok());
      }
      EXPECT_TRUE((*writer)->finish().ok());
    });
  }
  for (int n = 1; n <= 50; ++n) {
    Batch batch(kItems, static_cast<std::uint64_t>(n) * 0x100);
    batch.insert({std::to_string(1'000'000 + n), "streamed"});
    ASSERT_TRUE(write(*destination, batch).ok());
  }
  copiers.clear();
  EXPECT_TRUE(destination->close({}).ok());
  EXPECT_EQ(reopened(), std::pair(std::uint64_t{50 * 0x100}, std::size_t{kRanges * kRows + 50}));
}

TEST_F(JsonlFile, LargeTransactionInPartsGoesThroughDiskAndStaysWhole) {
  const auto destination = make(path_);
  ASSERT_TRUE(open(*destination).ok());
  ASSERT_TRUE(destination->adopt_slot(kSlot, {Lsn{0x10}}).ok());
  constexpr int kParts = 12;
  for (int part = 0; part < kParts; ++part) {
    Batch batch(kItems, 0x100);
    batch.insert({std::to_string(part), std::string(1'000'000, 'x')});
    const freshet::Run run = batch.run();
    Group group;
    group.runs = {&run, 1};
    group.upto = batch.position();
    group.is_complete = part == kParts - 1;
    ASSERT_TRUE(destination->write(group, Durability::may_defer).ok());
    EXPECT_EQ(replay_jsonl(path_, *kItems).size(), group.is_complete ? 12U : 0U);
  }
}

TEST_F(JsonlFile, ValueThatIsNotUtf8LeavesTheGroupOut) {
  const auto destination = make(path_);
  ASSERT_TRUE(open(*destination).ok());
  ASSERT_TRUE(destination->adopt_slot(kSlot, {Lsn{0x10}}).ok());
  Batch bad(kItems, 0x100);
  bad.insert({"1", "good"}).insert({"2", "\xC3("});
  const auto refused = write(*destination, bad);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind(), ErrorKind::data);
  EXPECT_EQ(refused.error().find("column"), "note");
  EXPECT_TRUE(replay_jsonl(path_, *kItems).empty());
  Batch good(kItems, 0x200);
  good.insert({"3", "good"});
  EXPECT_TRUE(write(*destination, good).ok());
  EXPECT_EQ(replay_jsonl(path_, *kItems).size(), 1U);
}

TEST_F(JsonlFile, FullDiskLeavesTheFileWholeUpToItsLastPosition) {
  if (mount("tmpfs", directory_.path().c_str(), "tmpfs", 0, "size=256k") != 0) {
    GTEST_SKIP() << "mounting a tmpfs needs root";
  }
  {
    const auto destination = make(path_);
    ASSERT_TRUE(open(*destination).ok());
    ASSERT_TRUE(destination->adopt_slot(kSlot, {Lsn{0x10}}).ok());
    Result<Position> written{Position{}};
    std::uint64_t n = 0;
    while (written.ok() && n < 1000) {
      Batch batch(kItems, ++n * 0x100);
      batch.insert({std::to_string(n), std::string(3000, 'x')});
      written = write(*destination, batch);
    }
    ASSERT_FALSE(written.ok());
    EXPECT_EQ(written.error().kind(), ErrorKind::storage);
    EXPECT_EQ(written.error().find("path"), path_);
    EXPECT_EQ(replay_jsonl(path_, *kItems).size(), n - 1);
    EXPECT_EQ(read_file(path_).back(), '\n');
    EXPECT_EQ(to_integer(open(*destination)->position->end), (n - 1) * 0x100);
  }
  umount(directory_.path().c_str());
}

TEST(JsonlStream, NamedPipeGetsPlainLinesAndKeepsNoPosition) {
  const ScratchDirectory directory;
  const std::string path = directory.path("pipe");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  std::ifstream reader;
  std::jthread opening([&] { reader.open(path); });
  const auto destination = make(path);
  EXPECT_FALSE(destination->traits().keeps_position);
  ASSERT_TRUE(open(*destination).ok());
  opening.join();
  Batch batch(kItems, 0x100);
  batch.insert({"1", "a"});
  EXPECT_EQ(write(*destination, batch).value(), batch.position());
  std::string line;
  ASSERT_TRUE(std::getline(reader, line));
  EXPECT_EQ(nlohmann::json::parse(line).at("op"), "insert");
  ASSERT_TRUE(std::getline(reader, line));
  EXPECT_EQ(line, R"({"op":"position","lsn":"0/100"})");
}

TEST(JsonlStream, StandardOutputClosedByItsReaderIsAnErrorAndNoSignal) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  const int kept = dup(STDOUT_FILENO);
  dup2(ends[1], STDOUT_FILENO);
  close(ends[1]);
  close(ends[0]);
  const auto destination = make("-");
  const bool is_open = open(*destination).ok();
  Batch batch(kItems, 0x100);
  batch.insert({"1", "a"});
  const auto written = write(*destination, batch);
  dup2(kept, STDOUT_FILENO);
  close(kept);
  ASSERT_TRUE(is_open);
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().kind(), ErrorKind::storage);
  EXPECT_EQ(written.error().find("path"), "standard output");
}

}  // namespace
}  // namespace freshet
