#include "state/testing/state_contract.h"

#include <unistd.h>

#include "state/holder.h"

namespace freshet {

void StateContract::SetUp() {
  family_ = GetParam().make();
  if (!family_) GTEST_SKIP() << "FRESHET_TEST_PG names no server";
  store_ = family_->open();
  ASSERT_NE(store_, nullptr);
}

Holder StateContract::self() {
  return {.host = this_host_name(), .pid = getpid()};
}

Lease StateContract::acquire(StateStore& store) {
  auto lease = store.acquire("shop", self());
  EXPECT_TRUE(lease.ok()) << lease.error().describe();
  return *lease;
}

StoredPipeline StateContract::load(StateStore& store) {
  auto stored = store.load("shop");
  EXPECT_TRUE(stored.ok()) << stored.error().describe();
  return std::move(stored).value();
}

namespace {

const SlotIdentity kSlot{.system_identifier = "7412345678901234567",
                         .timeline = 3,
                         .slot_name = "freshet_shop",
                         .consistent_point = Lsn{0x16B374D848},
                         .epoch = "0b9f8c9e-8f6e-4a3f-9a53-0d6c7f1f2a10"};

FollowedSchema calls_schema() {
  FollowedSchema followed{.destination = "lake", .schema = {}};
  TableSchema& schema = followed.schema;
  schema.relation = Oid{4'000'000'000U};
  schema.name = {.schema = "pub\"lic", .table = "ca'lls \U0001F4DE"};
  schema.identity = ReplicaIdentity::index;
  schema.version = 2;
  schema.definition = "9e107d9d372bb6826bd81d3542a419d6";
  schema.files = "16384:16390 16391:16400";
  Column id{.name = "id",
            .type = Oid{20},
            .typmod = -1,
            .type_sql = "bigint",
            .attnum = 1,
            .is_not_null = true,
            .is_identity = true,
            .primary_key_place = 1,
            .is_derived = false,
            .is_builtin_type = true,
            .is_byte_comparable = true,
            .missing_value = nullptr};
  Column note = id;
  note.name = "no\nte";
  note.is_identity = note.is_not_null = note.is_byte_comparable = note.is_builtin_type = false;
  note.is_derived = true;
  note.missing_value = std::make_shared<const std::string>("it's \xFF\\");
  schema.columns = {id, note};
  return followed;
}

const TableName kCalls{.schema = "public", .table = "calls"};

std::vector<WishedTable> wishes_of(StateStore& store) {
  auto wishes = store.load_wishes("shop");
  EXPECT_TRUE(wishes.ok()) << wishes.error().describe();
  return wishes.ok() ? std::move(wishes).value() : std::vector<WishedTable>{};
}

TEST_P(StateContract, UnknownPipelineIsEmpty) {
  const StoredPipeline stored = load(*store_);
  EXPECT_FALSE(stored.slot || stored.publication || stored.holder);
  EXPECT_TRUE(stored.positions.empty() && stored.tables.empty() && stored.schemas.empty());
  EXPECT_TRUE(stored.wishes.empty() && wishes_of(*store_).empty());
}

TEST_P(StateContract, EverythingStoredIsLoadedByAnotherStore) {
  const Lease lease = acquire(*store_);
  const TableState table{.destination = "lake",
                         .table = {.schema = "public", .table = "calls"},
                         .phase = TablePhase::errored,
                         .reason = "type is unknown"};
  const DestinationProgress progress{.destination = "lake",
                                     .position = {Lsn{0xFFFF'FFFF'FFFF'FFFF}}};
  ASSERT_TRUE(store_->store_slot(lease, kSlot).ok());
  ASSERT_TRUE(store_->store_publication(lease, "freshet_shop").ok());
  ASSERT_TRUE(store_->store_position(lease, progress).ok());
  ASSERT_TRUE(store_->store_table(lease, table).ok());
  ASSERT_TRUE(store_->store_schema(lease, calls_schema()).ok());
  ASSERT_TRUE(store_->store_watched(lease, "earlier").ok());
  ASSERT_TRUE(store_->store_watched(lease, "a\tb\nc\\").ok());

  const StoredPipeline stored = load(*family_->open());
  EXPECT_EQ(stored.slot, kSlot);
  EXPECT_EQ(stored.publication, "freshet_shop");
  EXPECT_EQ(stored.watched, "a\tb\nc\\");
  ASSERT_EQ(stored.positions.size(), 1U);
  EXPECT_EQ(stored.positions[0].destination, "lake");
  EXPECT_EQ(stored.positions[0].position, progress.position);
  ASSERT_EQ(stored.tables.size(), 1U);
  EXPECT_EQ(stored.tables[0].table, table.table);
  EXPECT_EQ(stored.tables[0].phase, TablePhase::errored);
  EXPECT_EQ(stored.tables[0].reason, "type is unknown");
  ASSERT_EQ(stored.schemas.size(), 1U);
  EXPECT_EQ(stored.schemas[0].destination, "lake");
  const TableSchema& schema = stored.schemas[0].schema;
  const TableSchema wanted = calls_schema().schema;
  EXPECT_EQ(schema.relation, wanted.relation);
  EXPECT_EQ(schema.name, wanted.name);
  EXPECT_EQ(schema.identity, ReplicaIdentity::index);
  EXPECT_EQ(schema.version, 2U);
  EXPECT_EQ(schema.definition, wanted.definition);
  EXPECT_EQ(schema.files, wanted.files);
  EXPECT_EQ(schema.columns, wanted.columns);
  ASSERT_TRUE(stored.holder);
  EXPECT_EQ(stored.holder->pid, getpid());
}

TEST_P(StateContract, LaterValuesReplaceEarlierOnes) {
  const Lease lease = acquire(*store_);
  for (const std::uint64_t lsn : {5U, 9U}) {
    ASSERT_TRUE(store_->store_position(lease, {.destination = "a", .position = {Lsn{lsn}}}).ok());
  }
  FollowedSchema followed = calls_schema();
  ASSERT_TRUE(store_->store_schema(lease, followed).ok());
  followed.schema.columns.pop_back();
  followed.schema.version = 3;
  ASSERT_TRUE(store_->store_schema(lease, followed).ok());
  const StoredPipeline stored = load(*store_);
  ASSERT_EQ(stored.positions.size(), 1U);
  EXPECT_EQ(stored.positions[0].position.end, Lsn{9});
  ASSERT_EQ(stored.schemas.size(), 1U);
  EXPECT_EQ(stored.schemas[0].schema.columns.size(), 1U);
}

TEST_P(StateContract, EachDestinationHasASchemaOfItsOwn) {
  const Lease lease = acquire(*store_);
  FollowedSchema ahead = calls_schema();
  ASSERT_TRUE(store_->store_schema(lease, {.destination = "a", .schema = ahead.schema}).ok());
  ahead.schema.columns.pop_back();
  ahead.schema.files = "16384:16500";
  ASSERT_TRUE(store_->store_schema(lease, ahead).ok());
  const StoredPipeline stored = load(*store_);
  ASSERT_EQ(stored.schemas.size(), 2U);
  for (const FollowedSchema& followed : stored.schemas) {
    const TableSchema& wanted = followed.destination == "a" ? calls_schema().schema : ahead.schema;
    EXPECT_EQ(followed.schema.columns, wanted.columns);
    EXPECT_EQ(followed.schema.files, wanted.files);
  }
}

TEST_P(StateContract, LeaseOfLivingProcessIsRefusedNamingIt) {
  acquire(*store_);
  const auto second = family_->open()->acquire("shop", self());
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().kind(), ErrorKind::lease_held);
  EXPECT_EQ(second.error().find("host"), this_host_name());
  EXPECT_EQ(second.error().find("pid"), std::to_string(getpid()));
}

TEST_P(StateContract, LeaseOfEndedProcessIsTaken) {
  constexpr long kNoSuchProcess = 0x7ffffff0;
  ASSERT_TRUE(store_->acquire("shop", {.host = this_host_name(), .pid = kNoSuchProcess}).ok());
  EXPECT_FALSE(load(*store_).holder);
  EXPECT_TRUE(store_->acquire("shop", self()).ok());
}

TEST_P(StateContract, LeaseOfAnotherHostLastsUntilItsTimeout) {
  ASSERT_TRUE(store_->acquire("shop", {.host = "elsewhere", .pid = 1}).ok());
  const auto second = store_->acquire("shop", self());
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().find("host"), "elsewhere");
  LeaseHolder holder = lease_holder({.host = "elsewhere", .pid = 1});
  EXPECT_TRUE(is_alive(holder, this_host_name()));
  holder.renewed_at_ms -= std::chrono::milliseconds(kLeaseTimeout).count();
  EXPECT_FALSE(is_alive(holder, this_host_name()));
}

TEST_P(StateContract, StaleEpochIsFencedFromEveryChange) {
  const Lease stale = acquire(*store_);
  ASSERT_TRUE(store_->release(stale).ok());
  const Lease lease = acquire(*store_);
  EXPECT_GT(lease.epoch, stale.epoch);
  const auto is_fenced = [](const Status& status) {
    return !status.ok() && status.error().kind() == ErrorKind::fenced;
  };
  EXPECT_TRUE(is_fenced(store_->renew(stale)));
  EXPECT_TRUE(is_fenced(store_->release(stale)));
  EXPECT_TRUE(is_fenced(store_->store_slot(stale, kSlot)));
  EXPECT_TRUE(is_fenced(store_->store_publication(stale, "p")));
  EXPECT_TRUE(is_fenced(store_->store_position(stale, {.destination = "a", .position = {}})));
  EXPECT_TRUE(is_fenced(store_->store_table(stale, {})));
  EXPECT_TRUE(is_fenced(store_->store_watched(stale, "")));
  EXPECT_TRUE(is_fenced(store_->store_schema(stale, calls_schema())));
  EXPECT_TRUE(is_fenced(store_->forget_wish(stale, {})));
  EXPECT_TRUE(is_fenced(store_->forget(stale)));
  EXPECT_TRUE(store_->renew(lease).ok());
  const StoredPipeline stored = load(*store_);
  EXPECT_FALSE(stored.slot || stored.publication);
  EXPECT_TRUE(stored.positions.empty() && stored.tables.empty() && stored.schemas.empty());
}

TEST_P(StateContract, ReleaseKeepsWhatWasStored) {
  const Lease lease = acquire(*store_);
  ASSERT_TRUE(store_->store_slot(lease, kSlot).ok());
  ASSERT_TRUE(store_->release(lease).ok());
  EXPECT_FALSE(load(*store_).holder);
  EXPECT_EQ(load(*store_).slot, kSlot);
}

TEST_P(StateContract, ForgottenPipelineIsUnknownAndItsLeaseStale) {
  const Lease lease = acquire(*store_);
  ASSERT_TRUE(store_->store_slot(lease, kSlot).ok());
  ASSERT_TRUE(store_->store_schema(lease, calls_schema()).ok());
  ASSERT_TRUE(store_->forget(lease).ok());
  EXPECT_FALSE(load(*store_).slot);
  EXPECT_TRUE(load(*store_).schemas.empty());
  EXPECT_FALSE(store_->store_slot(lease, kSlot).ok());
  EXPECT_GT(acquire(*store_).epoch, lease.epoch);
  EXPECT_FALSE(store_->store_slot(lease, kSlot).ok());
}

TEST_P(StateContract, WishesNeedNoLeaseAndReplaceOneAnother) {
  const TableName messages{.schema = "pub\"lic", .table = "mess'ages \U0001F4DE"};
  ASSERT_TRUE(store_->store_wish("shop", {messages, TableWish::resync}).ok());
  ASSERT_TRUE(store_->store_wish("shop", {kCalls, TableWish::paused}).ok());
  const Lease lease = acquire(*store_);
  ASSERT_TRUE(family_->open()->store_wish("shop", {messages, TableWish::paused}).ok());
  ASSERT_TRUE(family_->open()->store_wish("other", {messages, TableWish::resync}).ok());
  const std::vector<WishedTable> expected{{messages, TableWish::paused},
                                          {kCalls, TableWish::paused}};
  EXPECT_EQ(wishes_of(*store_), expected);
  EXPECT_EQ(load(*store_).wishes, expected);
  ASSERT_TRUE(store_->release(lease).ok());
  EXPECT_EQ(load(*store_).wishes, expected);
}

TEST_P(StateContract, WishThatWasReplacedMeanwhileIsNotForgotten) {
  const Lease stale = acquire(*store_);
  ASSERT_TRUE(store_->release(stale).ok());
  const Lease lease = acquire(*store_);
  const WishedTable resync{kCalls, TableWish::resync};
  ASSERT_TRUE(store_->store_wish("shop", {kCalls, TableWish::paused}).ok());
  EXPECT_TRUE(store_->forget_wish(lease, resync).ok());
  EXPECT_EQ(wishes_of(*store_).size(), 1U);
  ASSERT_TRUE(store_->store_wish("shop", resync).ok());
  EXPECT_FALSE(store_->forget_wish(stale, resync).ok());
  EXPECT_EQ(wishes_of(*store_).size(), 1U);
  EXPECT_TRUE(store_->forget_wish(lease, resync).ok());
  EXPECT_TRUE(wishes_of(*store_).empty());
}

TEST_P(StateContract, WishesGoWithAForgottenPipeline) {
  const Lease lease = acquire(*store_);
  ASSERT_TRUE(store_->store_wish("shop", {kCalls, TableWish::paused}).ok());
  ASSERT_TRUE(store_->forget(lease).ok());
  EXPECT_TRUE(load(*store_).wishes.empty() && wishes_of(*store_).empty());
}

TEST_P(StateContract, PipelinesAreApart) {
  const Lease lease = acquire(*store_);
  auto other = store_->acquire("other", self());
  ASSERT_TRUE(other.ok());
  ASSERT_TRUE(store_->store_slot(*other, kSlot).ok());
  EXPECT_FALSE(load(*store_).slot);
  EXPECT_FALSE(
      store_->store_slot({.pipeline = "shop", .epoch = other->epoch, .holder = ""}, kSlot).ok());
}

}  // namespace
}  // namespace freshet
