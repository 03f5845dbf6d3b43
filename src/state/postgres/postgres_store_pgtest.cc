// What befalls a state that is shared: rights, versions, lost connections, others who come between.
#include <array>
#include <atomic>
#include <functional>
#include <future>
#include <thread>

#include "pg/testing/test_server.h"
#include "state/holder.h"
#include "state/open.h"
#include "state/postgres/postgres_store.h"

namespace freshet {
namespace {

class PostgresStoreTest : public pg::testing::ServerTest {
 protected:
  using StorePtr = std::unique_ptr<PostgresStore>;

  static Holder self() { return {.host = this_host_name(), .pid = getpid()}; }

  StorePtr open() {
    auto store = PostgresStore::open(url(), "shop");
    EXPECT_TRUE(store.ok()) << store.error().describe();
    return store.ok() ? std::move(store).value() : nullptr;
  }

  static Lease acquire(StateStore& store) {
    auto lease = store.acquire("shop", self());
    EXPECT_TRUE(lease.ok()) << lease.error().describe();
    return lease.ok() ? *lease : Lease{};
  }

  void end_connections_of_stores() {
    run(*admin_, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '" +
                     database_ + "' AND application_name = 'freshet shop state'");
  }

  /// A role that may connect, and its url.
  std::string make_role() {
    role_ = database_ + "_role";
    run("CREATE ROLE " + role_ + " LOGIN PASSWORD 'opensesame'");
    return url() + "&user=" + role_ + "&password=opensesame";
  }

  void TearDown() override {
    ServerTest::TearDown();
    if (!role_.empty()) run(*admin_, "DROP ROLE " + role_);
  }

  std::string role_;
};

const DestinationProgress kProgress{.destination = "lake", .position = {Lsn{77}}};

TEST_F(PostgresStoreTest, ReadersCreateNothing) {
  auto store = find_state_store(url(), "shop");
  ASSERT_TRUE(store.ok()) << store.error().describe();
  EXPECT_EQ(*store, nullptr);
  EXPECT_TRUE(check_postgres_state(url(), "shop").ok());
  EXPECT_EQ(text("SELECT to_regnamespace('freshet_state') IS NULL"), "t");

  const StorePtr writer = open();
  ASSERT_TRUE(writer->store_position(acquire(*writer), kProgress).ok());
  store = find_state_store(url(), "shop");
  ASSERT_TRUE(store.ok() && *store);
  const auto stored = (*store)->load("shop");
  ASSERT_TRUE(stored.ok()) << stored.error().describe();
  EXPECT_EQ(stored->positions.size(), 1U);
  EXPECT_TRUE(check_postgres_state(url(), "shop").ok());
}

TEST_F(PostgresStoreTest, MissingRightsAreNamedWithWhatGivesThem) {
  const std::string url = make_role();
  const auto refused = [&](const std::string& fix) {
    const Status checked = PostgresStore::check(url, "shop");
    const auto opened = PostgresStore::open(url, "shop");
    ASSERT_FALSE(checked.ok() || opened.ok());
    for (const Error& error : {checked.error(), opened.error()}) {
      EXPECT_EQ(error.kind(), ErrorKind::permission) << error.describe();
      EXPECT_EQ(error.fix(), fix);
      EXPECT_EQ(error.find("server"), "state");
      EXPECT_EQ((error.describe() + error.fix()).find("opensesame"), std::string::npos);
    }
    run(fix);
  };
  refused("CREATE SCHEMA freshet_state AUTHORIZATION \"" + role_ + "\";");
  EXPECT_TRUE(PostgresStore::check(url, "shop").ok());
  EXPECT_EQ(text("SELECT count(*) FROM pg_class WHERE relnamespace = "
                 "to_regnamespace('freshet_state')"),
            "0");
  auto store = PostgresStore::open(url, "shop");
  ASSERT_TRUE(store.ok()) << store.error().describe();
  store->reset();

  run("ALTER SCHEMA freshet_state OWNER TO CURRENT_USER");
  run("REASSIGN OWNED BY " + role_ + " TO CURRENT_USER");
  const auto found = PostgresStore::find(url, "shop");
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().kind(), ErrorKind::permission);
  refused("ALTER SCHEMA freshet_state OWNER TO \"" + role_ + "\";");
  refused("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA freshet_state TO \"" +
          role_ + "\";");
  EXPECT_TRUE(PostgresStore::open(url, "shop").ok());
}

TEST_F(PostgresStoreTest, OtherVersionsAreRefused) {
  open();
  for (const std::string version : {"1", "99"}) {
    run("UPDATE freshet_state.version SET version = " + version);
    for (const Error& error :
         {PostgresStore::open(url(), "shop").error(), PostgresStore::find(url(), "shop").error(),
          PostgresStore::check(url(), "shop").error()}) {
      EXPECT_EQ(error.kind(), ErrorKind::storage) << error.describe();
      EXPECT_EQ(error.find("version"), version);
      EXPECT_NE(error.message().find(version == "1" ? "older" : "newer"), std::string::npos);
    }
  }
}

TEST_F(PostgresStoreTest, DatabaseInAnotherEncodingIsRefused) {
  const std::string name = database_ + "_latin1";
  run(*admin_, "CREATE DATABASE " + name +
                   " TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'");
  const auto opened = PostgresStore::open(pg::testing::url_with("dbname", name), "shop");
  run(*admin_, "DROP DATABASE " + name + " WITH (FORCE)");
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().kind(), ErrorKind::setting);
  EXPECT_EQ(opened.error().find("encoding"), "LATIN1");
}

TEST_F(PostgresStoreTest, UnreachableServerIsAConnectionErrorWithoutThePassword) {
  const auto opened = open_state_store("postgresql://freshet:opensesame@127.0.0.1:1/state", "shop");
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().kind(), ErrorKind::connection);
  EXPECT_EQ(opened.error().find("server"), "state");
  EXPECT_EQ(opened.error().describe().find("opensesame"), std::string::npos);
}

TEST_F(PostgresStoreTest, LostConnectionIsMadeAgain) {
  const StorePtr store = open();
  const Lease lease = acquire(*store);
  const std::array<std::function<Status()>, 4> calls{
      [&] { return store->renew(lease); }, [&] { return store->store_position(lease, kProgress); },
      [&] {
        auto stored = store->load("shop");
        return stored.ok() ? ok_status() : Status{stored.error()};
      },
      [&] { return store->release(lease); }};
  for (const auto& call : calls) {
    end_connections_of_stores();
    const Status status = call();
    EXPECT_TRUE(status.ok()) << status.error().describe();
  }
  end_connections_of_stores();
  EXPECT_TRUE(store->acquire("shop", self()).ok());
}

// The answer to the first try was lost; what it did is there.
TEST_F(PostgresStoreTest, EndThatHadLandedIsDone) {
  const StorePtr store = open();
  Lease lease = acquire(*store);
  run("UPDATE freshet_state.pipeline SET holder_host = NULL");
  end_connections_of_stores();
  EXPECT_TRUE(store->release(lease).ok());
  end_connections_of_stores();
  EXPECT_EQ(store->store_position(lease, kProgress).error().kind(), ErrorKind::fenced);

  lease = acquire(*store);
  run("DELETE FROM freshet_state.pipeline");
  end_connections_of_stores();
  EXPECT_TRUE(store->forget(lease).ok());

  lease = acquire(*store);
  run("UPDATE freshet_state.pipeline SET epoch = epoch + 1");
  end_connections_of_stores();
  EXPECT_EQ(store->release(lease).error().kind(), ErrorKind::fenced);
  end_connections_of_stores();
  EXPECT_EQ(store->forget(lease).error().kind(), ErrorKind::fenced);
}

TEST_F(PostgresStoreTest, LeaseOfAnotherHostRunsOutByTheServersClock) {
  const StorePtr store = open();
  ASSERT_TRUE(store->acquire("shop", {.host = "elsewhere", .pid = 1}).ok());
  EXPECT_EQ(store->load("shop")->holder->host, "elsewhere");
  run("UPDATE freshet_state.pipeline SET renewed_at = clock_timestamp() - interval '13 s'");
  EXPECT_EQ(store->acquire("shop", self()).error().kind(), ErrorKind::lease_held);
  run("UPDATE freshet_state.pipeline SET renewed_at = clock_timestamp() - interval '15 s'");
  EXPECT_FALSE(store->load("shop")->holder);
  EXPECT_TRUE(store->acquire("shop", self()).ok());
}

TEST_F(PostgresStoreTest, OneOfManyRacingStoresGetsTheLease) {
  constexpr int kStores = 6;
  std::atomic<bool> is_open = false;
  std::atomic<int> taken = 0;
  std::atomic<int> refused = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kStores; ++i) {
    threads.emplace_back([&, i] {
      is_open.wait(false);
      // All of them find nothing made.
      auto store = PostgresStore::open(url(), "shop");
      ASSERT_TRUE(store.ok()) << store.error().describe();
      const auto lease = (*store)->acquire("shop", {.host = "host" + std::to_string(i), .pid = i});
      if (lease.ok()) {
        ++taken;
      } else if (lease.error().kind() == ErrorKind::lease_held) {
        ++refused;
      }
    });
  }
  is_open = true;
  is_open.notify_all();
  for (std::thread& thread : threads)
    thread.join();
  EXPECT_EQ(taken, 1);
  EXPECT_EQ(refused, kStores - 1);
}

TEST_F(PostgresStoreTest, ChangeWaitsForWhoTakesTheLeaseAndIsFenced) {
  const StorePtr store = open();
  const Lease lease = acquire(*store);
  run("BEGIN; UPDATE freshet_state.pipeline SET epoch = epoch + 1");
  auto stored =
      std::async(std::launch::async, [&] { return store->store_position(lease, kProgress); });
  const std::string waiting =
      "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = '" +
      database_ + "'";
  while (text(*admin_, waiting) == "0" &&
         stored.wait_for(std::chrono::milliseconds(5)) != std::future_status::ready) {
  }
  EXPECT_EQ(stored.wait_for(std::chrono::milliseconds(0)), std::future_status::timeout);
  run("COMMIT");
  const Status status = stored.get();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind(), ErrorKind::fenced);
  EXPECT_EQ(text("SELECT count(*) FROM freshet_state.position"), "0");
}

TEST_F(PostgresStoreTest, BlockedChangeGivesUpInTime) {
  const StorePtr store = open();
  const Lease lease = acquire(*store);
  run("BEGIN; LOCK TABLE freshet_state.pipeline");
  const Status renewed = store->renew(lease);
  ASSERT_FALSE(renewed.ok());
  EXPECT_EQ(renewed.error().kind(), ErrorKind::busy);
  run("COMMIT");
  EXPECT_TRUE(store->renew(lease).ok());
}

TEST_F(PostgresStoreTest, WritesPassUnderAPublicationOfAllTables) {
  const StorePtr store = open();
  run("CREATE PUBLICATION everything FOR ALL TABLES");
  const Lease lease = acquire(*store);
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(store->store_position(lease, kProgress).ok());
    EXPECT_TRUE(store->store_slot(lease, {}).ok());
    EXPECT_TRUE(store->store_table(lease, {}).ok());
    EXPECT_TRUE(store->store_schema(lease, {}).ok());
  }
  EXPECT_TRUE(store->forget(lease).ok());
}

TEST_F(PostgresStoreTest, RowThatCannotBeReadIsNamed) {
  const StorePtr store = open();
  const Lease lease = acquire(*store);
  ASSERT_TRUE(
      store->store_table(lease, {.destination = "lake", .table = {"public", "t"}, .reason = {}})
          .ok());
  run("UPDATE freshet_state.table_state SET phase = 'dreaming'");
  const auto stored = store->load("shop");
  ASSERT_FALSE(stored.ok());
  EXPECT_EQ(stored.error().kind(), ErrorKind::storage);
  EXPECT_EQ(stored.error().find("row"), "table_state");
  // The failed look leaves a connection that can be used.
  EXPECT_TRUE(store->renew(lease).ok());
  run(stored.error().fix().substr(0, stored.error().fix().find(';')));
  EXPECT_FALSE(store->renew(lease).ok());
}

}  // namespace
}  // namespace freshet
