#include "proxy/rebalance/share.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

ReplicaLoad Load(uint64_t connections, uint64_t leaving = 0) {
  ReplicaLoad load;
  load.connections = connections;
  load.leaving = leaving;
  load.ready = true;
  return load;
}

uint64_t Excess(const ReplicaLoad& mine, const std::vector<ReplicaLoad>& peers) {
  return ShareOf(mine, peers).excess;
}

TEST(ShareTest, WhatIsAboveTheMeanGoes) {
  EXPECT_EQ(ShareOf(Load(120), std::vector{Load(0)}).connections, 60u);
  EXPECT_EQ(Excess(Load(120), {Load(0)}), 60u);
  EXPECT_EQ(Excess(Load(300), {Load(0), Load(300)}), 100u);
  EXPECT_EQ(Excess(Load(0), {Load(300), Load(300)}), 0u);
  // Half a connection is nobody's excess.
  EXPECT_EQ(ShareOf(Load(100), std::vector{Load(1)}).connections, 51u);
  EXPECT_EQ(Excess(Load(100), {Load(1)}), 49u);
}

TEST(ShareTest, WithoutPeersNobodyIsSentAnywhere) {
  EXPECT_EQ(Excess(Load(1'000'000), {}), 0u);
  EXPECT_EQ(ShareOf(Load(0), {}).connections, 0u);
}

TEST(ShareTest, WithinEightConnectionsAndATenthNothingIsDone) {
  EXPECT_EQ(Excess(Load(16), {Load(0)}), 0u);  // Eight more than eight.
  EXPECT_EQ(Excess(Load(18), {Load(0)}), 9u);
  EXPECT_EQ(Excess(Load(1100), {Load(900)}), 0u);  // A tenth more than a thousand.
  EXPECT_EQ(Excess(Load(1101), {Load(899)}), 101u);
  EXPECT_EQ(Excess(Load(88), {Load(72)}), 0u);  // A tenth and eight, of 80.
  EXPECT_EQ(Excess(Load(89), {Load(71)}), 9u);
}

TEST(ShareTest, ThoseThatWereSentAwayAndHaveNotComeBackStillCount) {
  // All but 60 have been told; none has found a reason yet to connect anew.
  EXPECT_EQ(Excess(Load(60, 60), {Load(0)}), 0u);
  EXPECT_EQ(ShareOf(Load(60, 60), std::vector{Load(0)}).connections, 60u);
  // Of a peer as well.
  EXPECT_EQ(Excess(Load(60), {Load(0, 60)}), 0u);
  // All came back here, and their watches run on elsewhere: fewer are sent than there are too many.
  EXPECT_EQ(Excess(Load(120, 60), {Load(0)}), 30u);
}

// Two replicas that look in turn, and a balancer that is fair, or sends everybody back.
TEST(ShareTest, ReplicasSettleAndDoNotTakeTurns) {
  for (const bool fair : {true, false}) {
    ReplicaLoad a = Load(120);
    ReplicaLoad b = Load(0);
    uint64_t sent_by_b = 0;
    for (int look = 0; look < 20; ++look) {
      const uint64_t from_a = Excess(a, {b});
      a.connections -= from_a;
      (fair ? b : a).connections += from_a;  // Their watches are over.
      sent_by_b += Excess(b, {a});
    }
    EXPECT_EQ(sent_by_b, 0u);
    EXPECT_EQ(a.connections, fair ? 60u : 120u);
  }
}

TEST(ShareTest, SumsAreFarFromTheEndOfTheType) {
  const std::vector<ReplicaLoad> peers(256, Load(100'000'000, 100'000'000));
  EXPECT_EQ(ShareOf(Load(0), peers).connections, (uint64_t{256} * 200'000'000 + 256) / 257);
}

TEST(ShedPlanTest, TakesTheExcessAndNoMoreThanItMay) {
  ShedPlan plan(Share{.connections = 60, .excess = 60});
  EXPECT_EQ(plan.Take(120, 25), 25u);
  EXPECT_EQ(plan.Take(95, 25), 25u);
  EXPECT_EQ(plan.Take(70, 25), 10u);
  EXPECT_EQ(plan.Take(60, 25), 0u);
  // Those that came since are not of this plan.
  EXPECT_EQ(plan.Take(500, 25), 0u);
}

TEST(ShedPlanTest, WhatLeftByItselfNeedNotBeSent) {
  ShedPlan plan(Share{.connections = 60, .excess = 60});
  EXPECT_EQ(plan.Take(62, 25), 2u);
  EXPECT_EQ(plan.Take(59, 25), 0u);
  EXPECT_EQ(plan.Take(0, 25), 0u);
  EXPECT_EQ(plan.Take(100, 25), 25u);
}

TEST(RateTest, AnyTenTicksMakeASecondsNumber) {
  for (const uint64_t rate : {1u, 3u, 10u, 19u, 20u, 999u, 100'000u}) {
    for (uint64_t first = 0; first < 20; ++first) {
      uint64_t sum = 0;
      for (uint64_t tick = first; tick < first + kTicksPerSecond; ++tick) {
        EXPECT_LE(MostInTick(tick, rate), rate / kTicksPerSecond + 1);
        sum += MostInTick(tick, rate);
      }
      EXPECT_EQ(sum, rate);
    }
  }
}

TEST(SpreadTest, WorkersBecomeEven) {
  EXPECT_THAT(SpreadOver(std::vector<size_t>{30, 30, 30, 30}, 8), ElementsAre(2, 2, 2, 2));
  EXPECT_THAT(SpreadOver(std::vector<size_t>{40, 10, 30}, 12), ElementsAre(11, 0, 1));
  EXPECT_THAT(SpreadOver(std::vector<size_t>{100, 100}, 1), ElementsAre(0, 1));
}

TEST(SpreadTest, NobodyGivesMoreThanHeHas) {
  EXPECT_THAT(SpreadOver(std::vector<size_t>{2, 0, 1}, 10), ElementsAre(2, 0, 1));
  EXPECT_THAT(SpreadOver(std::vector<size_t>{}, 10), IsEmpty());
  EXPECT_THAT(SpreadOver(std::vector<size_t>{5, 6}, 0), ElementsAre(0, 0));
}

}  // namespace
}  // namespace weir
