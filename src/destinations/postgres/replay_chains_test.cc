// Which changes must keep their order in a replay.
#include "destinations/postgres/replay_chains.h"

#include <gmock/gmock.h>

namespace freshet::postgres {
namespace {

using ::testing::ElementsAre;

const TableName kCalls{"public", "calls"};
const TableName kMessages{"public", "messages"};

TEST(MakeChains, EachKeyOfEachTableIsAChainOfItsOwn) {
  EXPECT_THAT(
      make_chains(
          {{1, kCalls, {"1"}}, {2, kMessages, {"1"}}, {3, kCalls, {"1"}}, {4, kCalls, {"2"}}}),
      ElementsAre(ElementsAre(1, 3), ElementsAre(2), ElementsAre(4)));
}

TEST(MakeChains, AMovedRowTiesBothKeysAlsoToWhatCameBefore) {
  EXPECT_THAT(make_chains({{1, kCalls, {"1"}},
                           {2, kCalls, {"2"}},
                           {3, kCalls, {"9"}},
                           {4, kCalls, {"2", "1"}},
                           {5, kCalls, {"2"}}}),
              ElementsAre(ElementsAre(1, 2, 4, 5), ElementsAre(3)));
}

TEST(MakeChains, ChangesWithoutKeysStandAlone) {
  EXPECT_THAT(make_chains({{1, kCalls, {}}, {2, kCalls, {}}}),
              ElementsAre(ElementsAre(1), ElementsAre(2)));
}

TEST(MakeChains, OneThatMayConcernAnyRowTiesItsTable) {
  EXPECT_THAT(
      make_chains(
          {{1, kCalls, {"1"}}, {2, kMessages, {"1"}}, {3, kCalls, {"\\*"}}, {4, kCalls, {"2"}}}),
      ElementsAre(ElementsAre(1, 3, 4), ElementsAre(2)));
  EXPECT_THAT(make_chains({}), ElementsAre());
}

}  // namespace
}  // namespace freshet::postgres
