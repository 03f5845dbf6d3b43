// The contract suite over a server: each test has a database of its own.
#include "pg/testing/test_server.h"
#include "state/postgres/postgres_store.h"
#include "state/testing/state_contract.h"

namespace freshet {
namespace {

class PostgresFamily final : public StoreFamily {
 public:
  PostgresFamily() {
    static int count = 0;
    database_ = "freshet_state_" + std::to_string(getpid()) + "_" + std::to_string(++count);
    run("CREATE DATABASE " + database_ + " TEMPLATE template0 ENCODING 'UTF8'");
  }

  ~PostgresFamily() override { run("DROP DATABASE " + database_ + " WITH (FORCE)"); }

  std::unique_ptr<StateStore> open() override {
    auto store = PostgresStore::open(pg::testing::url_with("dbname", database_), "shop");
    if (store.ok()) return std::move(store).value();
    ADD_FAILURE() << store.error().describe();
    return nullptr;
  }

 private:
  static void run(const std::string& sql) {
    auto admin = pg::Connection::open({.url = pg::testing::server_url()});
    ASSERT_TRUE(admin.ok()) << admin.error().describe();
    const Status done = (*admin)->execute(sql);
    EXPECT_TRUE(done.ok()) << done.error().describe();
  }

  std::string database_;
};

std::unique_ptr<StoreFamily> make_postgres_family() {
  if (pg::testing::server_url() == nullptr) return nullptr;
  return std::make_unique<PostgresFamily>();
}

INSTANTIATE_TEST_SUITE_P(Server,
                         StateContract,
                         testing::Values(FamilyCase{"postgres", make_postgres_family}),
                         [](const auto& family) { return std::string{family.param.name}; });

}  // namespace
}  // namespace freshet
