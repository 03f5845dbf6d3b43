// The contract suite over the stores that need no server.
#include "state/testing/state_contract.h"

#include "base/testing/scratch_directory.h"
#include "state/memory/memory_store.h"
#include "state/sqlite/sqlite_store.h"

namespace freshet {
namespace {

class MemoryFamily final : public StoreFamily {
 public:
  std::unique_ptr<StateStore> open() override { return std::make_unique<MemoryStore>(state_); }

 private:
  std::shared_ptr<MemoryState> state_ = std::make_shared<MemoryState>();
};

class SqliteFamily final : public StoreFamily {
 public:
  std::unique_ptr<StateStore> open() override {
    auto store = SqliteStore::open(directory_.path("state.db"));
    EXPECT_TRUE(store.ok()) << store.error().describe();
    return std::move(store).value();
  }

 private:
  ScratchDirectory directory_;
};

INSTANTIATE_TEST_SUITE_P(
    All,
    StateContract,
    testing::Values(FamilyCase{"memory", [] { return std::make_unique<MemoryFamily>(); }},
                    FamilyCase{"sqlite", [] { return std::make_unique<SqliteFamily>(); }}),
    [](const auto& family) { return std::string{family.param.name}; });

}  // namespace
}  // namespace freshet
