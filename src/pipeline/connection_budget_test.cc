#include "pipeline/connection_budget.h"

#include <gtest/gtest.h>

namespace freshet {
namespace {

TEST(ConnectionBudget, TheCopyTakesWhatIsLeft) {
  PipelineConfig config;
  config.source.copy.connections = 8;
  config.destinations.resize(2);
  config.source.tables.resize(1);
  EXPECT_EQ(sessions_beside_copy(config), 7U);
  EXPECT_EQ(copy_sessions(config, 100), 8U);
  EXPECT_EQ(copy_sessions(config, 10), 3U);
  EXPECT_EQ(copy_sessions(config, 7), 1U);
  EXPECT_EQ(copy_sessions(config, -3), 1U);
  config.source.tables.front().where = "id > 1";
  EXPECT_EQ(copy_sessions(config, 10), 2U);
}

}  // namespace
}  // namespace freshet
