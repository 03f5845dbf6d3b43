#include "destinations/postgres/net_changes.h"

#include <gtest/gtest.h>

#include "destinations/contract/testing/batch.h"
#include "destinations/postgres/durability.h"

namespace freshet::postgres {
namespace {

using testing_rows::Batch;
using testing_rows::Cell;
using Kind = NetChanges::Kind;

const SchemaPtr kSchema = testing_rows::text_table({"public", "t"}, {"id", "v"});

/// Adds all; how many were refused.
int add_all(NetChanges& net, const Batch& batch) {
  int refused = 0;
  for (const Change& change : batch.changes())
    refused += net.add(change) ? 0 : 1;
  return refused;
}

TEST(NetChanges, LastStatePerKeyRemains) {
  Batch batch(kSchema);
  batch.insert({"1", "a"})
      .update({"1", "b"})
      .insert({"2", "c"})
      .remove(OldRow::key, {"2", nullptr});
  NetChanges net{{0}};
  EXPECT_EQ(add_all(net, batch), 0);
  ASSERT_EQ(net.entries().size(), 2U);
  EXPECT_EQ(net.entries()[0].kind, Kind::put);
  EXPECT_EQ(net.entries()[0].row[1].view(), "b");
  EXPECT_TRUE(net.entries()[0].is_new && net.entries()[0].is_untouched);
  EXPECT_EQ(net.entries()[1].kind, Kind::removed);
}

TEST(NetChanges, PartialUpdateJoinsTheFullRowBeforeIt) {
  Batch batch(kSchema);
  batch.insert({"1", "large"})
      .update(OldRow::key, {"1", nullptr}, {"9", Cell::unchanged()})
      .update({"2", Cell::unchanged()});
  NetChanges net{{0}};
  EXPECT_EQ(add_all(net, batch), 0);
  ASSERT_EQ(net.entries().size(), 3U);
  EXPECT_EQ(net.entries()[0].kind, Kind::removed);
  EXPECT_EQ(net.entries()[1].row[1].view(), "large");
  EXPECT_EQ(net.entries()[2].kind, Kind::partial);
}

TEST(NetChanges, MoveOfAnUnseenRowWithUnsentValuesIsRefused) {
  Batch batch(kSchema);
  batch.update(OldRow::key, {"1", nullptr}, {"9", Cell::unchanged()});
  NetChanges net{{0}};
  EXPECT_EQ(add_all(net, batch), 1);
  EXPECT_TRUE(net.empty());
}

TEST(NetChanges, KeySentAsUnchangedIsTheOldOne) {
  Batch batch(kSchema);
  batch.update(OldRow::key, {"1", nullptr}, {Cell::unchanged(), "b"});
  NetChanges net{{0}};
  EXPECT_EQ(add_all(net, batch), 0);
  ASSERT_EQ(net.entries().size(), 1U);
  EXPECT_EQ(net.entries()[0].kind, Kind::put);
  EXPECT_EQ(net.entries()[0].row[0].view(), "1");
}

TEST(NetChanges, ManyKeysAreFoundAgainAfterGrowingAndClearing) {
  NetChanges net{{0}};
  for (int round = 0; round < 3; ++round) {
    Batch batch(kSchema);
    const int count = round == 0 ? 5000 : 10;
    for (int i = 0; i < count; ++i)
      batch.insert({std::to_string(i), "a"});
    for (int i = 0; i < count; ++i)
      batch.update({std::to_string(i), "b"});
    EXPECT_EQ(add_all(net, batch), 0);
    EXPECT_EQ(net.entries().size(), static_cast<std::size_t>(count));
    net.clear();
  }
}

TEST(NetRows, RowThatCameAndWentCancelsOut) {
  Batch batch(kSchema);
  batch.insert({"1", nullptr}).remove(OldRow::full, {"1", nullptr}).remove(OldRow::full, {"1", ""});
  NetRows net{{0, 1}};
  for (const Change& change : batch.changes())
    net.add(change);
  ASSERT_EQ(net.added().size(), 1U);
  EXPECT_FALSE(net.added()[0].is_alive);
  EXPECT_EQ(net.removed().size(), 1U);
}

TEST(NetRows, WhatIsNotComparedTellsNoRowsApart) {
  Batch batch(kSchema);
  batch.insert({"1", "vector"}).remove(OldRow::full, {"1", nullptr});
  NetRows net{{0}};
  for (const Change& change : batch.changes())
    net.add(change);
  EXPECT_FALSE(net.added()[0].is_alive);
  EXPECT_TRUE(net.removed().empty());
}

TEST(DurabilityQueue, PositionFollowsTheFlushedWal) {
  DurabilityQueue queue;
  queue.reset({Lsn{10}});
  queue.committed({Lsn{20}}, Lsn{1000});
  queue.committed({Lsn{30}}, Lsn{2000});
  queue.flushed(Lsn{999});
  EXPECT_EQ(queue.durable(), Position{Lsn{10}});
  queue.flushed(Lsn{1000});
  EXPECT_EQ(queue.durable(), Position{Lsn{20}});
  queue.proved({Lsn{40}});
  queue.flushed(Lsn{5000});
  EXPECT_EQ(queue.durable(), Position{Lsn{40}});
}

TEST(DurabilityQueue, AFullQueueNeverClaimsTooMuch) {
  DurabilityQueue queue;
  for (std::uint64_t i = 1; i <= 10'000; ++i)
    queue.committed({Lsn{i}}, Lsn{i * 10});
  queue.flushed(Lsn{99'999});
  EXPECT_LT(queue.durable(), Position{Lsn{10'000}});
  queue.flushed(Lsn{100'000});
  EXPECT_EQ(queue.durable(), Position{Lsn{10'000}});
}

}  // namespace
}  // namespace freshet::postgres
