#include "destinations/contract/testing/contract_suite.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace freshet {

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(DestinationContract);

namespace {

using testing_rows::Batch;
using testing_rows::Cell;
using testing_rows::Cells;
using testing_rows::text_table;

const SchemaPtr kItems = text_table({.schema = "public", .table = "items"}, {"id", "name", "note"});

std::chrono::steady_clock::time_point soon() {
  return std::chrono::steady_clock::now() + std::chrono::seconds(5);
}

VisibleRow visible(const TableSchema& schema, const Cells& cells) {
  VisibleRow row;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const bool is_null = cells[i].kind == ValueKind::null;
    row[schema.columns[i].name] = is_null ? std::nullopt : std::optional(cells[i].text);
  }
  return row;
}

std::optional<TablePhase> phase_of(const DestinationState& state, const TableName& name) {
  for (const TableRecord& table : state.tables) {
    if (table.name == name) return table.phase;
  }
  return {};
}

}  // namespace

const SlotIdentity DestinationContract::kSlot{.system_identifier = "7400000000000000001",
                                              .timeline = 1,
                                              .slot_name = "freshet_contract",
                                              .consistent_point = Lsn{0x1000},
                                              .epoch = "11111111-2222-3333-4444-555555555555"};

void DestinationContract::SetUp() {
  subject_ = GetParam().make();
  if (!subject_) GTEST_SKIP() << GetParam().skip_reason;
}

void DestinationContract::TearDown() {
  if (destination_) {
    EXPECT_TRUE(destination_->close(soon()).ok());
  }
}

Result<std::unique_ptr<Destination>> DestinationContract::open_beside() {
  auto made = subject_->make();
  if (!made.ok()) return made;
  auto opened = (*made)->open(
      {.pipeline = "contract", .epoch = ++epoch_, .holder = "here pid " + std::to_string(epoch_)});
  if (!opened.ok()) return std::move(opened).error();
  state_ = *opened;
  return made;
}

Destination& DestinationContract::reopen() {
  if (destination_) {
    EXPECT_TRUE(destination_->close(soon()).ok());
  }
  destination_.reset();
  auto opened = open_beside();
  if (!opened.ok()) {
    ADD_FAILURE() << opened.error().describe();
    std::abort();
  }
  destination_ = std::move(opened).value();
  return *destination_;
}

Destination& DestinationContract::start(const SchemaPtr& schema) {
  reopen();
  Status status = destination_->adopt_slot(kSlot, kStart);
  EXPECT_TRUE(status.ok()) << status.error().describe();
  status = destination_->prepare_table(schema);
  EXPECT_TRUE(status.ok()) << status.error().describe();
  return *destination_;
}

void DestinationContract::write(const std::vector<const Batch*>& batches, Durability durability) {
  std::vector<freshet::Run> runs;
  for (const Batch* batch : batches)
    runs.push_back(batch->run());
  Group group;
  group.runs = runs;
  group.upto = batches.back()->position();
  const auto durable = destination_->write(group, durability);
  ASSERT_TRUE(durable.ok()) << durable.error().describe();
  EXPECT_LE(*durable, group.upto);
}

void DestinationContract::copy(const SchemaPtr& schema, const RangeId& range, const Batch& rows) {
  auto writer = destination_->begin_range(schema, range);
  ASSERT_TRUE(writer.ok()) << writer.error().describe();
  Status status = (*writer)->rows(rows.changes());
  ASSERT_TRUE(status.ok()) << status.error().describe();
  status = (*writer)->finish();
  ASSERT_TRUE(status.ok()) << status.error().describe();
}

void DestinationContract::expect_rows(const TableSchema& schema, const std::vector<Cells>& rows) {
  const auto seen = subject_->rows(schema);
  if (!seen) return;
  std::vector<VisibleRow> wanted;
  for (const Cells& cells : rows)
    wanted.push_back(visible(schema, cells));
  EXPECT_EQ(*seen, wanted);
}

void DestinationContract::expect_position(std::uint64_t lsn) {
  if (!destination_->traits().keeps_position) return;
  ASSERT_TRUE(state_.position);
  EXPECT_EQ(to_string(state_.position->end), to_string(Lsn{lsn}));
  EXPECT_EQ(state_.slot, kSlot);
}

TEST_P(DestinationContract, EmptyStoreKnowsNothing) {
  reopen();
  EXPECT_FALSE(state_.position);
  EXPECT_FALSE(state_.slot);
  EXPECT_TRUE(state_.tables.empty());
}

TEST_P(DestinationContract, AdoptedSlotAndStartAreKept) {
  start(kItems);
  reopen();
  expect_position(0x1000);
}

TEST_P(DestinationContract, AnotherSlotIsAGap) {
  start(kItems);
  Batch batch(kItems, 0x2000);
  batch.insert({"1", "a", nullptr});
  write({&batch});
  Destination& destination = reopen();
  SlotIdentity other = kSlot;
  other.epoch = "99999999-2222-3333-4444-555555555555";
  const Status status = destination.adopt_slot(other, {Lsn{0x9000}});
  if (!destination.traits().keeps_position) return;
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind(), ErrorKind::gap);
}

TEST_P(DestinationContract, AForgottenSlotMakesRoomForAnotherAndForACopy) {
  start(kItems);
  Batch batch(kItems, 0x2000);
  batch.insert({"1", "a", nullptr});
  write({&batch});
  const SchemaPtr left = text_table({.schema = "public", .table = "left_out"}, {"id"});
  ASSERT_TRUE(destination_->prepare_table(left).ok());
  const std::vector<PhaseChange> phases{{kItems->name, TablePhase::streaming},
                                        {left->name, TablePhase::paused}};
  Group group;
  group.phases = phases;
  group.upto = {Lsn{0x2000}};
  ASSERT_TRUE(destination_->write(group, Durability::required).ok());
  ASSERT_TRUE(destination_->forget_slot().ok());
  ASSERT_TRUE(reopen().forget_slot().ok());  // a crash came before the next one was made
  Destination& destination = reopen();
  EXPECT_FALSE(state_.position);
  EXPECT_FALSE(state_.slot);
  EXPECT_TRUE(state_.chunks.empty());
  SlotIdentity other = kSlot;
  other.epoch = "99999999-2222-3333-4444-555555555555";
  const Status adopted = destination.adopt_slot(other, {Lsn{0x1800}});
  ASSERT_TRUE(adopted.ok()) << adopted.error().describe();
  reopen();
  if (!destination_->traits().keeps_position) return;
  EXPECT_EQ(phase_of(state_, kItems->name), TablePhase::pending);
  EXPECT_EQ(phase_of(state_, left->name), TablePhase::paused);
  EXPECT_EQ(state_.slot, other);
  ASSERT_TRUE(state_.position);
  EXPECT_EQ(to_string(state_.position->end), "0/1800");
}

TEST_P(DestinationContract, ChangesAreAppliedInOrderAndPositionMoves) {
  start(kItems);
  Batch first(kItems, 0x2000);
  first.insert({"1", "a", "x"}).insert({"2", "b", nullptr}).update({"1", "a2", "x"});
  Batch second(kItems, 0x3000);
  second.remove(OldRow::key, {"2", nullptr, nullptr})
      .upsert({"3", "c", ""})
      .upsert({"1", "a3", "y"});
  write({&first, &second});
  expect_rows(*kItems, {{"1", "a3", "y"}, {"3", "c", ""}});
  reopen();
  expect_position(0x3000);
  expect_rows(*kItems, {{"1", "a3", "y"}, {"3", "c", ""}});
}

TEST_P(DestinationContract, KeyChangesMoveTheRow) {
  start(kItems);
  Batch batch(kItems, 0x2000);
  batch.insert({"1", "a", "x"}).insert({"2", "b", "y"});
  batch.update(OldRow::key, {"1", nullptr, nullptr}, {"10", "a", "x"});
  batch.update(OldRow::key, {"2", nullptr, nullptr}, {"1", "b", "y"});
  write({&batch});
  expect_rows(*kItems, {{"1", "b", "y"}, {"10", "a", "x"}});
}

TEST_P(DestinationContract, UnchangedValuesAreNeverNull) {
  Destination& destination = start(kItems);
  if (destination.traits().needs_full_rows) return;
  Batch batch(kItems, 0x2000);
  batch.insert({"1", "a", "large"}).update({"1", "b", Cell::unchanged()});
  write({&batch});
  Batch later(kItems, 0x3000);
  later.update(OldRow::key, {"1", nullptr, nullptr}, {"7", "c", Cell::unchanged()});
  write({&later});
  expect_rows(*kItems, {{"7", "c", "large"}});
}

TEST_P(DestinationContract, RowsWithoutKeyAreTouchedOnce) {
  const SchemaPtr full =
      text_table({.schema = "public", .table = "visits"}, {"id", "name"}, ReplicaIdentity::full);
  auto keyless = std::make_shared<TableSchema>(*full);
  keyless->columns[0].primary_key_place = 0;
  keyless->columns[0].is_not_null = false;
  start(keyless);
  Batch batch(keyless, 0x2000);
  batch.insert({"1", "a"}).insert({"1", "a"}).insert({"1", nullptr});
  batch.update(OldRow::full, {"1", "a"}, {"2", "a"});
  batch.remove(OldRow::full, {"1", nullptr});
  write({&batch});
  expect_rows(*keyless, {{"1", "a"}, {"2", "a"}});
}

TEST_P(DestinationContract, PartsBecomeVisibleWhenComplete) {
  Destination& destination = start(kItems);
  if (!destination.traits().is_transactional) return;
  Batch part(kItems, 0x2000);
  part.insert({"1", "a", "x"});
  const freshet::Run run = part.run();
  Group group;
  group.runs = {&run, 1};
  group.is_complete = false;
  ASSERT_TRUE(destination.write(group, Durability::may_defer).ok());
  expect_rows(*kItems, {});
  Batch rest(kItems, 0x2000);
  rest.insert({"2", "b", "y"});
  write({&rest});
  expect_rows(*kItems, {{"1", "a", "x"}, {"2", "b", "y"}});
  reopen();
  expect_position(0x2000);
}

TEST_P(DestinationContract, PartsWithoutTheirEndLeaveNothing) {
  Destination& destination = start(kItems);
  if (!destination.traits().is_transactional) return;
  Batch part(kItems, 0x2000);
  part.insert({"1", "a", "x"});
  const freshet::Run run = part.run();
  Group group;
  group.runs = {&run, 1};
  group.is_complete = false;
  ASSERT_TRUE(destination.write(group, Durability::may_defer).ok());
  reopen();
  expect_position(0x1000);
  expect_rows(*kItems, {});
  Batch again(kItems, 0x2000);
  again.insert({"1", "a", "x"});
  ASSERT_TRUE(destination_->prepare_table(kItems).ok());
  write({&again});
  expect_rows(*kItems, {{"1", "a", "x"}});
}

TEST_P(DestinationContract, BarrierMakesWrittenDurable) {
  Destination& destination = start(kItems);
  Batch batch(kItems, 0x2000);
  batch.insert({"1", "a", "x"});
  write({&batch});
  Group barrier;
  barrier.upto = {Lsn{0x2000}};
  auto durable = destination.write(barrier, Durability::required);
  ASSERT_TRUE(durable.ok()) << durable.error().describe();
  EXPECT_EQ(*durable, Position{Lsn{0x2000}});
  barrier.upto = {Lsn{0x2800}};
  durable = destination.write(barrier, Durability::required);
  ASSERT_TRUE(durable.ok()) << durable.error().describe();
  EXPECT_EQ(*durable, Position{Lsn{0x2800}});
  reopen();
  expect_position(0x2800);
}

TEST_P(DestinationContract, RangesFillAResetTable) {
  Destination& destination = start(kItems);
  ASSERT_TRUE(destination.reset_table(kItems).ok());
  Batch low(kItems);
  low.insert({"1", "a", "x"}).insert({"2", "b", nullptr});
  Batch high(kItems);
  high.insert({"3", "c", "z"});
  copy(kItems, {.table = kItems->name, .index = 0, .count = 2}, low);
  copy(kItems, {.table = kItems->name, .index = 1, .count = 2}, high);
  EXPECT_TRUE(destination.finish_copy(kItems).ok());
  const std::vector<Cells> rows{{"1", "a", "x"}, {"2", "b", nullptr}, {"3", "c", "z"}};
  expect_rows(*kItems, rows);

  ASSERT_TRUE(destination.reset_table(kItems).ok());
  expect_rows(*kItems, {});
  copy(kItems, {.table = kItems->name, .index = 0, .count = 1}, low);
  expect_rows(*kItems, {{"1", "a", "x"}, {"2", "b", nullptr}});
}

TEST_P(DestinationContract, UnfinishedRangeHoldsNothing) {
  Destination& destination = start(kItems);
  ASSERT_TRUE(destination.reset_table(kItems).ok());
  Batch rows(kItems);
  rows.insert({"1", "a", "x"});
  {
    auto writer = destination.begin_range(kItems, {.table = kItems->name, .index = 0, .count = 1});
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE((*writer)->rows(rows.changes()).ok());
  }
  expect_rows(*kItems, {});
  ASSERT_TRUE(destination.reset_table(kItems).ok());
  copy(kItems, {.table = kItems->name, .index = 0, .count = 1}, rows);
  expect_rows(*kItems, {{"1", "a", "x"}});
}

TEST_P(DestinationContract, ARangeReadAgainReplacesWhatWasLeft) {
  Destination& destination = start(kItems);
  if (!destination.traits().keeps_chunks) GTEST_SKIP() << "does not keep chunks";
  ASSERT_TRUE(destination.reset_table(kItems).ok());
  Batch before(kItems);
  before.insert({"1", "a", "x"}).insert({"2", "b", nullptr}).insert({"3", "c", "z"});
  copy(kItems, {.table = kItems->name, .index = 0, .count = 1}, before);
  Batch again(kItems);
  again.insert({"2", "new", nullptr});
  copy(
      kItems,
      {.table = kItems->name, .replaced = KeyBounds{.columns = {"id"}, .from = {"2"}, .to = {"3"}}},
      again);
  expect_rows(*kItems, {{"1", "a", "x"}, {"2", "new", nullptr}, {"3", "c", "z"}});
  copy(kItems,
       {.table = kItems->name, .replaced = KeyBounds{.columns = {"id"}, .from = {"2"}, .to = {}}},
       again);
  expect_rows(*kItems, {{"1", "a", "x"}, {"2", "new", nullptr}});
}

TEST_P(DestinationContract, ChunksAreKeptUntilTheCopyEndsOrBeginsAgain) {
  Destination* destination = &start(kItems);
  if (!destination->traits().keeps_chunks) GTEST_SKIP() << "does not keep chunks";
  ASSERT_TRUE(destination->reset_table(kItems).ok());
  const std::vector<CopiedChunk> chunks{
      {.table = kItems->name,
       .bounds = {.columns = {"id", "b\tc"}, .from = {}, .to = {"4", "x\\"}},
       .snapshot = "10:12:11",
       .read_upto = Lsn{0x1800},
       .relfilenode = 4'000'000'000,
       .condition = "v > 'a'"},
      {.table = kItems->name,
       .bounds = {.columns = {"id", "b\tc"}, .from = {"4", "x\\"}, .to = {}},
       .snapshot = "10:10:",
       .read_upto = Lsn{0x1900},
       .relfilenode = 4'000'000'000,
       .condition = {}}};
  const auto write_group = [&](const Group& group) {
    const auto written = destination->write(group, Durability::required);
    ASSERT_TRUE(written.ok()) << written.error().describe();
  };
  write_group({.runs = {}, .phases = {}, .chunks = chunks, .upto = {Lsn{0x2000}}});
  destination = &reopen();
  EXPECT_EQ(state_.chunks, chunks);
  expect_position(0x2000);
  const PhaseChange change{.name = kItems->name, .phase = TablePhase::streaming};
  write_group({.runs = {}, .phases = {&change, 1}, .upto = {Lsn{0x2100}}});
  destination = &reopen();
  EXPECT_TRUE(state_.chunks.empty());

  write_group({.runs = {}, .phases = {}, .chunks = chunks, .upto = {Lsn{0x2200}}});
  ASSERT_TRUE(destination->reset_table(kItems).ok());
  reopen();
  EXPECT_TRUE(state_.chunks.empty());
}

TEST_P(DestinationContract, PhasesAreRecorded) {
  Destination& destination = start(kItems);
  ASSERT_TRUE(destination.reset_table(kItems).ok());
  reopen();
  if (!destination_->traits().keeps_position) return;  // The state store does.
  EXPECT_EQ(phase_of(state_, kItems->name), TablePhase::copying);
  ASSERT_TRUE(destination_->prepare_table(kItems).ok());
  const PhaseChange change{.name = kItems->name, .phase = TablePhase::streaming};
  Group group;
  group.phases = {&change, 1};
  group.upto = {Lsn{0x2000}};
  ASSERT_TRUE(destination_->write(group, Durability::required).ok());
  reopen();
  EXPECT_EQ(phase_of(state_, kItems->name), TablePhase::streaming);
  expect_position(0x2000);
}

TEST_P(DestinationContract, TruncateEmptiesTheTable) {
  start(kItems);
  Batch before(kItems, 0x2000);
  before.insert({"1", "a", "x"});
  write({&before});
  const SchemaPtr table = kItems;
  freshet::Run truncate;
  truncate.truncated = {&table, 1};
  Batch after(kItems, 0x3000);
  after.insert({"2", "b", "y"});
  const std::vector<freshet::Run> runs{truncate, after.run()};
  Group group;
  group.runs = runs;
  group.upto = {Lsn{0x3000}};
  const auto durable = destination_->write(group, Durability::may_defer);
  ASSERT_TRUE(durable.ok()) << durable.error().describe();
  expect_rows(*kItems, {{"2", "b", "y"}});
}

TEST_P(DestinationContract, ColumnsComeAndGoAndReplayChangesNothing) {
  Destination& destination = start(kItems);
  Batch before(kItems, 0x2000);
  before.insert({"1", "a", "x"});
  write({&before});

  auto wider = std::make_shared<TableSchema>(*kItems);
  wider->version = 2;
  wider->columns.push_back(wider->columns[1]);
  wider->columns.back().name = "colour";
  wider->columns.back().attnum = 4;
  ASSERT_TRUE(destination.evolve(kItems, wider).ok());
  ASSERT_TRUE(destination.evolve(kItems, wider).ok());
  Batch added(wider, 0x3000);
  added.insert({"2", "b", "y", "red"});
  write({&added});
  expect_rows(*wider, {{"1", "a", "x", nullptr}, {"2", "b", "y", "red"}});

  auto narrower = std::make_shared<TableSchema>(*wider);
  narrower->version = 3;
  narrower->columns.erase(narrower->columns.begin() + 1);
  ASSERT_TRUE(destination.evolve(wider, narrower).ok());
  ASSERT_TRUE(destination.evolve(wider, narrower).ok());
  Batch dropped(narrower, 0x4000);
  dropped.update({"1", "x2", "blue"});
  write({&dropped});
  expect_rows(*narrower, {{"1", "x2", "blue"}, {"2", "y", "red"}});
}

TEST_P(DestinationContract, SecondOpenerAndFirstNeverBothWrite) {
  start(kItems);
  if (!destination_->traits().keeps_position) return;  // The state store fences.
  auto second = open_beside();
  Batch stale(kItems, 0x2000);
  stale.insert({"1", "stale", nullptr});
  const freshet::Run run = stale.run();
  Group group;
  group.runs = {&run, 1};
  group.upto = stale.position();
  const auto written = destination_->write(group, Durability::required);
  EXPECT_NE(written.ok(), second.ok()) << "exactly one may write";
  if (!second.ok()) {
    EXPECT_EQ(second.error().kind(), ErrorKind::lease_held);
  }
  if (!written.ok()) {
    EXPECT_EQ(written.error().kind(), ErrorKind::fenced) << written.error().describe();
    // Its close may fail as well: nobody needs it any more.
    std::ignore = destination_->close(soon());
    destination_ = std::move(second).value();
    expect_rows(*kItems, {});
  }
}

TEST_P(DestinationContract, CloseWithoutFinishLeavesTheRowsOut) {
  Destination& destination = start(kItems);
  ASSERT_TRUE(destination.reset_table(kItems).ok());
  Batch rows(kItems);
  rows.insert({"1", "a", "x"});
  auto writer = destination.begin_range(kItems, {.table = kItems->name, .index = 0, .count = 1});
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE((*writer)->rows(rows.changes()).ok());
  writer->reset();
  reopen();
  expect_rows(*kItems, {});
}

TEST_P(DestinationContract, WeirdNamesAndValuesSurvive) {
  const SchemaPtr weird = text_table({.schema = "we\"ird. s'chema", .table = "tä\\ble \U0001F600"},
                                     {"i\"d", "back\\slash", "new\nline", "'$1', \xC3\xA9"});
  Destination& destination = start(weird);
  const Cells first{"1", "it's \"quoted\" \\ \\N \\.", "line\nbreak\ttab\rreturn",
                    "\U0001F4DE \xE2\x80\xA8"};
  const Cells second{"2", "", nullptr, "{\"a\": [1, null]}"};
  const Cells third{"3", std::string(100'000, 'x') + "\x01\x1F\x7F", "NULL", "\\x00"};
  ASSERT_TRUE(destination.reset_table(weird).ok());
  Batch copied(weird);
  copied.insert(first);
  copy(weird, {.table = weird->name, .index = 0, .count = 1}, copied);
  Batch streamed(weird, 0x2000);
  streamed.insert(second).insert(third);
  write({&streamed});
  expect_rows(*weird, {first, second, third});
}

}  // namespace freshet
