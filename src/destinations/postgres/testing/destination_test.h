// For tests of the Postgres destination against the server of FRESHET_TEST_PG.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "destinations/postgres/config.h"
#include "destinations/postgres/testing/test_database.h"
#include "freshet/destination.h"

namespace freshet::postgres {

/// A database for the suite, empty for each test, and the destination under test.
class DestinationTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (TestDatabase::server_url() != nullptr) database_ = new TestDatabase;
  }

  static void TearDownTestSuite() {
    delete database_;
    database_ = nullptr;
  }

  void SetUp() override {
    if (database_ == nullptr) GTEST_SKIP() << TestDatabase::kSkipReason;
    database_->run(
        "SET client_min_messages = warning; DROP EXTENSION IF EXISTS vector CASCADE; "
        "DROP SCHEMA IF EXISTS freshet CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public");
  }

  void open(Destination& destination) {
    auto state = destination.open({.pipeline = "demo", .epoch = 1, .holder = "here pid 1"});
    ASSERT_TRUE(state.ok()) << state.error().describe();
    state_ = *std::move(state);
    const Status adopted = destination.adopt_slot(kSlot, {Lsn{0x1000}});
    ASSERT_TRUE(adopted.ok()) << adopted.error().describe();
  }

  void prepare(const SchemaPtr& schema) {
    const Status prepared = destination_->prepare_table(schema);
    ASSERT_TRUE(prepared.ok()) << prepared.error().describe();
  }

  static std::vector<std::string> lines(std::string_view sql) { return database_->lines(sql); }

  static inline const SlotIdentity kSlot{.system_identifier = "7400000000000000001",
                                         .timeline = 1,
                                         .slot_name = "freshet_demo",
                                         .consistent_point = Lsn{0x1000},
                                         .epoch = "11111111-2222-3333-4444-555555555555"};
  static inline TestDatabase* database_ = nullptr;
  std::unique_ptr<Destination> destination_;
  DestinationState state_;  ///< What it was last opened with.
};

}  // namespace freshet::postgres
