#include <chrono>
#include <future>
#include <set>
#include <thread>
#include <utility>

#include "base/sql_quote.h"
#include "pg/testing/test_server.h"
#include "source/catalog.h"
#include "source/chunk_copy.h"
#include "source/replication_connection.h"
#include "source/slot.h"
#include "source/snapshot_copy.h"

namespace freshet::source {
namespace {

class CopyPgTest : public pg::testing::ServerTest {
 protected:
  CatalogTable load(const TableName& name) {
    auto table = load_table(*connection_, name);
    EXPECT_TRUE(table.ok()) << table.error().describe();
    return table.ok() ? std::move(table).value() : CatalogTable{};
  }

  CopyTable copy_of(const CatalogTable& table) {
    return {.schema = std::make_shared<TableSchema>(table.schema), .heaps = table.heaps};
  }

  std::string system() { return load_system_identity(*connection_)->system_identifier; }

  std::unique_ptr<SnapshotCoordinator> take(CopyTable& table) {
    auto taken = SnapshotCoordinator::take({.url = url()}, system(), {&table, 1},
                                           [](const Snapshot&) { return true; });
    EXPECT_TRUE(taken.ok()) << taken.error().describe();
    return taken.ok() ? std::move(taken).value() : nullptr;
  }

  /// Copies all ranges; the lines, sorted.
  std::multiset<std::string> copy(const CopyTable& table,
                                  const SnapshotCoordinator& coordinator,
                                  const RangeLimits& limits = {}) {
    std::multiset<std::string> lines;
    const auto worker = connect(url());
    for (const CopyRange& range : plan_ranges(table.heaps, limits)) {
      const RangeRequest request{.table = &table,
                                 .range = &range,
                                 .snapshot_name = coordinator.snapshot_name(),
                                 .system_identifier = coordinator.system_identifier()};
      const auto result = copy_range(*worker, request, [&](std::string_view chunk) {
        while (!chunk.empty()) {
          const auto end = chunk.find('\n');
          EXPECT_NE(end, std::string_view::npos);
          lines.emplace(chunk.substr(0, end));
          chunk.remove_prefix(end + 1);
        }
        return Status{};
      });
      EXPECT_TRUE(result.ok()) << result.error().describe();
      EXPECT_TRUE(!result.ok() || result->read_upto != kNoLsn);
    }
    return lines;
  }

  static Status check_heaps(SnapshotCoordinator& coordinator, const CopyTable& table) {
    auto checked = coordinator.check_heaps(std::span(&table, 1));
    return checked.ok() ? checked->front() : Status{std::move(checked).error()};
  }

  /// One chunk without bounds, its rows thrown away.
  Result<std::optional<RangeResult>> copy_whole_as_chunk(pg::Connection& worker,
                                                         const CatalogTable& found) {
    const CopyTable table = copy_of(found);
    return copy_chunk(
        worker,
        {.table = &table,
         .planned = &found.schema,
         .bounds = {.columns = {"id"}, .from = {}, .to = {}},
         .system_identifier = system()},
        [](const Snapshot&) { return true; }, [](std::string_view) { return Status{}; });
  }

  Error copy_error(const CopyTable& table, const SnapshotCoordinator& coordinator) {
    const auto worker = connect(url());
    const auto ranges = plan_ranges(table.heaps, {});
    const auto result = copy_range(*worker,
                                   {.table = &table,
                                    .range = &ranges.front(),
                                    .snapshot_name = coordinator.snapshot_name(),
                                    .system_identifier = coordinator.system_identifier()},
                                   [](std::string_view) { return Status{}; });
    EXPECT_FALSE(result.ok());
    return result.ok() ? Error{ErrorKind::internal, "it was copied"} : result.error();
  }
};

TEST_F(CopyPgTest, RangesTogetherReadEachRowOnce) {
  run("CREATE TABLE public.t (id int PRIMARY KEY, a text); INSERT INTO public.t SELECT i, "
      "repeat('x', 100) FROM generate_series(1, 5000) i");
  CopyTable table = copy_of(load({"public", "t"}));
  const auto coordinator = take(table);
  ASSERT_GT(table.heaps.front().pages, 50U);
  ASSERT_GT(plan_ranges(table.heaps, {.connections = 2, .pages_min = 1}).size(), 4U);
  // Rows that come later, also on new pages, are not in the snapshot.
  run("INSERT INTO public.t SELECT i, 'later' FROM generate_series(5001, 9000) i");
  const auto lines = copy(table, *coordinator, {.connections = 2, .pages_min = 1});
  EXPECT_EQ(lines.size(), 5000U);
  EXPECT_EQ(std::set<std::string>(lines.begin(), lines.end()).size(), 5000U);
}

TEST_F(CopyPgTest, SlotSnapshotIsImportedAndExportedAgain) {
  run("CREATE TABLE public.t (id int PRIMARY KEY); INSERT INTO public.t VALUES (1)");
  const CopyTable table = copy_of(load({"public", "t"}));
  auto stream = ReplicationConnection::open({.url = url()});
  ASSERT_TRUE(stream.ok());
  CreateSlotOptions options;
  options.name = database_ + "_slot";
  const auto slot = (*stream)->create_slot(options);
  ASSERT_TRUE(slot.ok());
  run("INSERT INTO public.t VALUES (2)");
  auto coordinator = SnapshotCoordinator::import({.url = url()}, system(), slot->snapshot_name);
  ASSERT_TRUE(coordinator.ok()) << coordinator.error().describe();
  ASSERT_TRUE(check_heaps(**coordinator, table).ok());
  // The slot's own connection may go now.
  stream->reset();
  EXPECT_EQ(copy(table, **coordinator), (std::multiset<std::string>{"1"}));
  const std::string name = (*coordinator)->snapshot_name();
  const auto other = SnapshotCoordinator::import({.url = url()}, "42", name);
  EXPECT_EQ(other.error().kind(), ErrorKind::gap);
  coordinator->reset();
  const auto gone = SnapshotCoordinator::import({.url = url()}, system(), name);
  EXPECT_EQ(gone.error().find("reason"), "snapshot_gone") << gone.error().describe();
}

TEST_F(CopyPgTest, EmptyPartitionedAndInheritedTables) {
  run("CREATE TABLE public.empty (id int PRIMARY KEY)");
  run("CREATE TABLE public.root (id int PRIMARY KEY, a text) PARTITION BY RANGE (id);"
      "CREATE TABLE public.leaf1 PARTITION OF public.root FOR VALUES FROM (0) TO (10);"
      "CREATE TABLE public.mid PARTITION OF public.root FOR VALUES FROM (10) TO (30) "
      "PARTITION BY RANGE (id);"
      "CREATE TABLE public.leaf2 (a text, gone int, id int NOT NULL);"
      "ALTER TABLE public.leaf2 DROP COLUMN gone, ADD PRIMARY KEY (id);"
      "ALTER TABLE public.mid ATTACH PARTITION public.leaf2 FOR VALUES FROM (10) TO (20);"
      "INSERT INTO public.root VALUES (1, 'a'), (11, 'b')");
  run("CREATE TABLE public.parent (id int PRIMARY KEY);"
      "CREATE TABLE public.child () INHERITS (public.parent);"
      "INSERT INTO public.parent VALUES (1); INSERT INTO public.child VALUES (2)");

  CopyTable empty = copy_of(load({"public", "empty"}));
  EXPECT_EQ(plan_ranges(empty.heaps, {}).size(), 1U);
  EXPECT_TRUE(copy(empty, *take(empty)).empty());

  CopyTable root = copy_of(load({"public", "root"}));
  EXPECT_EQ(root.heaps.size(), 2U);
  root.where = "root.id > 5 OR a = 'a' -- a comment";
  EXPECT_EQ(copy(root, *take(root)), (std::multiset<std::string>{"1\ta", "11\tb"}));

  const CatalogTable parent = load({"public", "parent"});
  EXPECT_EQ(parent.inheritance_children, (std::vector<TableName>{{"public", "child"}}));
  CopyTable only = copy_of(parent);
  EXPECT_EQ(copy(only, *take(only)), (std::multiset<std::string>{"1"}));
}

TEST_F(CopyPgTest, RewrittenHeapIsNoticed) {
  run("CREATE TABLE public.t (id int PRIMARY KEY, n int); INSERT INTO public.t VALUES (1, 1)");
  for (const std::string ddl :
       {"ALTER TABLE public.t ALTER n TYPE bigint USING n * 2", "CLUSTER public.t USING t_pkey",
        "TRUNCATE public.t", "DROP TABLE public.t"}) {
    CopyTable table = copy_of(load({"public", "t"}));
    const auto other = connect(url());
    run(*other, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1");
    const std::string name = text(*other, "SELECT pg_export_snapshot()");
    const auto coordinator = SnapshotCoordinator::import({.url = url()}, system(), name);
    ASSERT_TRUE(coordinator.ok());
    run(ddl);
    EXPECT_TRUE(is_rewritten(copy_error(table, **coordinator))) << ddl;
  }
}

// Whoever alters a table, and all that queues up behind, would wait for as long as a copy takes;
// and what a worker locks comes behind that in turn.
TEST_F(CopyPgTest, NothingStaysLockedOnceTheSnapshotIsTaken) {
  run("CREATE TABLE public.t (id int PRIMARY KEY, n int); INSERT INTO public.t VALUES (1, 1)");
  CopyTable table = copy_of(load({"public", "t"}));
  const auto coordinator = take(table);
  run("SET lock_timeout = '2s'; ALTER TABLE public.t ADD c int; INSERT INTO public.t VALUES (2, "
      "2)");
  EXPECT_EQ(copy(table, *coordinator), (std::multiset<std::string>{"1\t1"}));
  run("ALTER TABLE public.t ALTER n TYPE bigint");
  EXPECT_TRUE(is_rewritten(copy_error(table, *coordinator)));
}

TEST_F(CopyPgTest, NoLockIsWaitedForWithAnotherHeld) {
  run("CREATE TABLE public.a (id int PRIMARY KEY); CREATE TABLE public.b (id int PRIMARY KEY)");
  std::vector<CopyTable> tables{copy_of(load({"public", "a"})), copy_of(load({"public", "b"}))};
  const auto migration = connect(url());
  run(*migration, "BEGIN; SET LOCAL lock_timeout = '2s'; TRUNCATE public.b");
  auto taken = std::async(std::launch::async, [&] {
    return SnapshotCoordinator::take({.url = url()}, system(), tables,
                                     [](const Snapshot&) { return true; });
  });
  const auto watcher = connect(url());
  const auto is_waiting = [&] {
    return text(*watcher,
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = "
                "(SELECT oid FROM pg_database WHERE datname = current_database())") != "0";
  };
  while (!is_waiting() && taken.wait_for(std::chrono::seconds{0}) != std::future_status::ready)
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  run(*migration, "TRUNCATE public.a");
  run(*migration, "COMMIT");
  const auto coordinator = taken.get();
  ASSERT_TRUE(coordinator.ok()) << coordinator.error().describe();
  EXPECT_TRUE(copy(tables[1], **coordinator).empty());
}

// Who alters a partitioned table locks it first, then its partitions.
TEST_F(CopyPgTest, APartitionIsReadWhileWhatItIsInIsLocked) {
  run("CREATE TABLE public.root (id int PRIMARY KEY, gone int, a text) PARTITION BY RANGE (id);"
      "CREATE TABLE public.leaf PARTITION OF public.root FOR VALUES FROM (0) TO (10);"
      "ALTER TABLE public.root DROP COLUMN gone; INSERT INTO public.root VALUES (1, 'a')");
  CopyTable table = copy_of(load({"public", "root"}));
  const auto coordinator = take(table);
  const auto other = connect(url());
  run(*other, "BEGIN; LOCK TABLE ONLY public.root");
  EXPECT_EQ(copy(table, *coordinator), (std::multiset<std::string>{"1\ta"}));
  run(*other, "COMMIT");
  run("ALTER TABLE public.root RENAME a TO b; ALTER TABLE public.root ADD a text");
  EXPECT_TRUE(is_rewritten(copy_error(table, *coordinator)));
}

TEST_F(CopyPgTest, AColumnOfAnotherTypeIsNoticed) {
  run("CREATE DOMAIN public.few AS int; CREATE TABLE public.t (id int PRIMARY KEY, f public.few, "
      "a public.few[], v varchar(3)); INSERT INTO public.t VALUES (1, 2, '{3}', 'x')");
  CopyTable table = copy_of(load({"public", "t"}));
  const auto coordinator = take(table);
  EXPECT_EQ(copy(table, *coordinator), (std::multiset<std::string>{"1\t2\t{3}\tx"}));
  run("ALTER TABLE public.t ALTER v TYPE varchar(5)");
  EXPECT_EQ(copy(table, *coordinator), (std::multiset<std::string>{"1\t2\t{3}\tx"}));
  run("ALTER TABLE public.t ALTER v TYPE text");
  EXPECT_TRUE(is_changed_table(copy_error(table, *coordinator)));
}

TEST_F(CopyPgTest, SnapshotThatIsRefusedIsNotHeld) {
  run("CREATE TABLE public.t (id int PRIMARY KEY)");
  CopyTable table = copy_of(load({"public", "t"}));
  const auto taken = SnapshotCoordinator::take({.url = url()}, system(), {&table, 1},
                                               [](const Snapshot&) { return false; });
  ASSERT_TRUE(taken.ok()) << taken.error().describe();
  EXPECT_EQ(*taken, nullptr);
}

TEST_F(CopyPgTest, LeafThatCameSinceIsNoticed) {
  run("CREATE TABLE public.root (id int PRIMARY KEY) PARTITION BY RANGE (id);"
      "CREATE TABLE public.leaf1 PARTITION OF public.root FOR VALUES FROM (0) TO (10)");
  CopyTable table = copy_of(load({"public", "root"}));
  const auto coordinator = take(table);
  EXPECT_TRUE(check_heaps(*coordinator, table).ok());
  table.heaps.clear();
  const Status changed = check_heaps(*coordinator, table);
  ASSERT_FALSE(changed.ok());
  EXPECT_TRUE(is_rewritten(changed.error()));
}

TEST_F(CopyPgTest, FailingSinkEndsTheCopyAndLeavesTheWorkerUsable) {
  run("CREATE TABLE public.t (a text); INSERT INTO public.t SELECT repeat('x', 1000) FROM "
      "generate_series(1, 20000)");
  CopyTable table = copy_of(load({"public", "t"}));
  const auto coordinator = take(table);
  const auto ranges = plan_ranges(table.heaps, {});
  const auto result =
      copy_range(*connection_,
                 {.table = &table,
                  .range = &ranges.front(),
                  .snapshot_name = coordinator->snapshot_name(),
                  .system_identifier = coordinator->system_identifier()},
                 [](std::string_view) { return Status{Error{ErrorKind::storage, "full"}}; });
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind(), ErrorKind::storage) << result.error().describe();
  EXPECT_EQ(text("SELECT count(*) FROM public.t"), "20000");
}

TEST_F(CopyPgTest, RowSecurityFailsInsteadOfHidingRows) {
  const std::string role = database_ + "_role";
  run("CREATE TABLE public.t (id int PRIMARY KEY); INSERT INTO public.t VALUES (1);"
      "ALTER TABLE public.t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON public.t USING (false);"
      "CREATE ROLE " +
      role + " LOGIN PASSWORD 'x'; GRANT SELECT ON public.t TO " + role);
  CopyTable table = copy_of(load({"public", "t"}));
  const auto coordinator = take(table);
  const auto ranges = plan_ranges(table.heaps, {});
  const auto worker = connect(url() + "&user=" + role + "&password=x");
  const auto result = copy_range(*worker,
                                 {.table = &table,
                                  .range = &ranges.front(),
                                  .snapshot_name = coordinator->snapshot_name(),
                                  .system_identifier = coordinator->system_identifier()},
                                 [](std::string_view) { return Status{}; });
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind(), ErrorKind::permission) << result.error().describe();
  run("DROP OWNED BY " + role + "; DROP ROLE " + role);
}

TEST_F(CopyPgTest, WeirdIdentifiersAreCopied) {
  const std::string long_name(63, 'n');
  for (const std::string& name :
       {std::string{"a\"b"}, std::string{"c'"}, std::string{"x; drop table y"}, long_name,
        std::string{"\xc3\xa9t\xc3\xa9"}, std::string{"back\\slash"}, std::string{"$1"},
        std::string{"A"}, std::string{"a"}, std::string{"select"}, std::string{"%s"}}) {
    const TableName table_name{"public", name};
    const std::string quoted = quote_identifier(table_name);
    run("CREATE TABLE " + quoted + " (" + quote_identifier(name) +
        " int PRIMARY KEY); INSERT INTO " + quoted + " VALUES (7)");
    CopyTable table = copy_of(load(table_name));
    ASSERT_EQ(table.schema->columns.size(), 1U) << name;
    EXPECT_EQ(table.schema->columns[0].name, name);
    EXPECT_EQ(copy(table, *take(table)), (std::multiset<std::string>{"7"})) << name;
  }
}

KeyBounds by_id() {
  return {.columns = {"id"}, .from = {}, .to = {}};
}

TEST_F(CopyPgTest, ChunksTogetherReadEachRowOnce) {
  run("CREATE TABLE public.t (id bigint PRIMARY KEY, a text); INSERT INTO public.t SELECT i * 7, "
      "'x' "
      "FROM generate_series(-500, 500) i");
  const CatalogTable found = load({"public", "t"});
  const CopyTable table = copy_of(found);
  const auto worker = connect(url());
  KeyBounds bounds = by_id();
  std::multiset<std::string> lines;
  int chunks = 0;
  do {
    auto end = find_chunk_end(*worker, table.heaps.front(), bounds, 300);
    ASSERT_TRUE(end.ok()) << end.error().describe();
    bounds.to = *end;
    const auto read = copy_chunk(
        *worker,
        {.table = &table,
         .planned = &found.schema,
         .bounds = bounds,
         .system_identifier = system()},
        [](const Snapshot&) { return true; },
        [&](std::string_view rows) {
          for (std::size_t at = 0; at < rows.size(); at = rows.find('\n', at) + 1)
            lines.emplace(rows.substr(at, rows.find('\n', at) - at));
          return Status{};
        });
    ASSERT_TRUE(read.ok()) << read.error().describe();
    ASSERT_TRUE(read->has_value());
    bounds.from = std::exchange(bounds.to, {});
    ++chunks;
  } while (!bounds.from.empty());
  EXPECT_EQ(chunks, 4);
  EXPECT_EQ(lines.size(), 1001U);
  EXPECT_EQ(std::set<std::string>(lines.begin(), lines.end()).size(), 1001U);
}

TEST_F(CopyPgTest, AChunkIsNotReadUnderASnapshotThatWasRefused) {
  run("CREATE TABLE public.t (id int PRIMARY KEY); INSERT INTO public.t VALUES (1)");
  const CatalogTable found = load({"public", "t"});
  const CopyTable table = copy_of(found);
  const auto worker = connect(url());
  const auto read = copy_chunk(
      *worker,
      {.table = &table, .planned = &found.schema, .bounds = by_id(), .system_identifier = system()},
      [](const Snapshot&) { return false; },
      [](std::string_view) { return Status{Error{ErrorKind::internal, "it was read"}}; });
  ASSERT_TRUE(read.ok()) << read.error().describe();
  EXPECT_FALSE(read->has_value());
  EXPECT_FALSE(worker->is_in_transaction());
}

TEST_F(CopyPgTest, WhatAChunkReadIsFlushedAtTheSource) {
  run("CREATE TABLE public.t (id int PRIMARY KEY)");
  const CatalogTable table = load({"public", "t"});
  run("SET synchronous_commit = off; INSERT INTO public.t VALUES (1)");
  const auto worker = connect(url());
  const auto read = copy_whole_as_chunk(*worker, table);
  ASSERT_TRUE(read.ok()) << read.error().describe();
  ASSERT_TRUE(read->has_value());
  EXPECT_EQ((*read)->rows, 1U);
  const auto flushed = worker->query("SELECT pg_current_wal_flush_lsn()");
  ASSERT_TRUE(flushed.ok());
  EXPECT_GE(flushed->lsn(0, 0), (*read)->read_upto);
}

TEST_F(CopyPgTest, AChunkOfARewrittenTableIsRefused) {
  run("CREATE TABLE public.t (id int PRIMARY KEY); INSERT INTO public.t VALUES (1)");
  const CatalogTable table = load({"public", "t"});
  run("TRUNCATE public.t");
  const auto worker = connect(url());
  const auto read = copy_whole_as_chunk(*worker, table);
  ASSERT_FALSE(read.ok());
  EXPECT_TRUE(is_rewritten(read.error())) << read.error().describe();
}

// What the snapshot sees is skipped as the chunk's: it must have all of it.
TEST_F(CopyPgTest, AChunkWithOtherColumnsIsRefused) {
  for (const char* change : {"ADD c int", "DROP v", "RENAME v TO w", "ALTER v TYPE text"}) {
    run("DROP TABLE IF EXISTS public.t; CREATE TABLE public.t (id int PRIMARY KEY, v varchar(3))");
    const CatalogTable table = load({"public", "t"});
    const auto worker = connect(url());
    run("ALTER TABLE public.t ALTER v SET STATISTICS 10, ALTER v SET NOT NULL");
    const auto same = copy_whole_as_chunk(*worker, table);
    EXPECT_TRUE(same.ok()) << same.error().describe();
    run(std::string{"ALTER TABLE public.t "} + change);
    const auto read = copy_whole_as_chunk(*worker, table);
    ASSERT_FALSE(read.ok()) << change;
    EXPECT_TRUE(is_changed_table(read.error())) << read.error().describe();
  }
}

}  // namespace
}  // namespace freshet::source
