#include "bench/sim/control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/sim/sim_fixture.h"

namespace weir::sim {
namespace {

using ::testing::HasSubstr;

class SimControlTest : public SimFixture, public ::testing::Test {
 protected:
  SimControlTest()
      : SimFixture(200), churn_(store_, population_), control_(store_, api_, churn_, faults_) {}
  Reply Post(std::string_view target) { return control_.Handle("POST", target, now_, nullptr); }

  Churn churn_;
  Control control_;
};

TEST_F(SimControlTest, RefusalsHitTheNextMatchingRequestsOnly) {
  EXPECT_EQ(Post("/sim/fault?kind=refuse&code=429&count=2&verb=list&resource=pods").status, 200);
  EXPECT_EQ(Call("GET", "/api/v1/nodes").status, 200);
  EXPECT_EQ(Call("GET", "/api/v1/pods").status, 429);
  EXPECT_EQ(Call("GET", "/api/v1/pods").status, 429);
  EXPECT_EQ(Call("GET", "/api/v1/pods").status, 200);
}

TEST_F(SimControlTest, A410OfAWatchIsAnEventInItsStream) {
  Post("/sim/fault?kind=refuse&code=410&verb=watch");
  const auto watch = StartWatch("/api/v1/pods?watch=1&resourceVersion=0");
  ASSERT_NE(watch, nullptr);
  std::string text;
  watch->Take(1 << 20, text);
  EXPECT_THAT(text, HasSubstr(R"("type":"ERROR")"));
  EXPECT_THAT(text, HasSubstr(R"("code":410)"));
}

TEST_F(SimControlTest, WatchesAreDroppedByResource) {
  const auto pods = StartWatch("/api/v1/pods?watch=1&resourceVersion=" + Revision());
  const auto nodes = StartWatch("/api/v1/nodes?watch=1&resourceVersion=" + Revision());
  EXPECT_THAT(Post("/sim/fault?kind=drop-watches&resource=pods&mode=reset").body,
              HasSubstr(R"("dropped":1)"));
  EXPECT_EQ(pods->ended(), Watch::Ending::kReset);
  EXPECT_FALSE(nodes->ended().has_value());
}

TEST_F(SimControlTest, RewindBringsAnOlderStateBack) {
  CreateConfigMap("kept");
  const std::string before = Revision();
  CreateConfigMap("lost");
  Delete("kept");
  EXPECT_EQ(Post("/sim/fault?kind=rewind&by=2").status, 200);
  EXPECT_EQ(Revision(), before);
  EXPECT_EQ(Call("GET", "/api/v1/namespaces/default/configmaps/kept").status, 200);
  EXPECT_EQ(Call("GET", "/api/v1/namespaces/default/configmaps/lost").status, 404);
  EXPECT_EQ(CreateConfigMap("other").status, 201);
}

TEST_F(SimControlTest, RewindStopsAtTheEndOfHistory) {
  CreateConfigMap("a");
  Post("/sim/fault?kind=compact");
  EXPECT_EQ(Post("/sim/fault?kind=rewind&by=1").status, 400);
  EXPECT_EQ(Post("/sim/fault?kind=rewind&by=999999").status, 400);
}

TEST_F(SimControlTest, ChurnMakesEventsOfAllKinds) {
  const uint64_t before = store_.revision().value;
  EXPECT_EQ(Post("/sim/churn?burst=300").status, 200);
  EXPECT_GE(store_.revision().value, before + 300);
  EXPECT_EQ(store_.Find("", "v1", "pods")->tree().sums().objects, 4u);
  EXPECT_GT(store_.Find("coordination.k8s.io", "v1", "leases")->cache_revision().value, before);
  EXPECT_TRUE(store_.Find("", "v1", "pods")->tree().Consistent());
}

TEST_F(SimControlTest, ChurnFollowsItsRate) {
  churn_.SetRate(100);
  churn_.Run(std::chrono::milliseconds(500));
  EXPECT_EQ(churn_.events(), 50u);
  churn_.Run(std::chrono::hours(1));
  EXPECT_EQ(churn_.events(), 150u) << "at most a second's worth at once";
}

TEST_F(SimControlTest, StallsAndCutsAreOfOneResourceAndEnd) {
  Post("/sim/fault?kind=stall&seconds=5&resource=pods");
  EXPECT_EQ(faults_.ResumeAt("pods"), now_ + std::chrono::seconds(5));
  EXPECT_LT(faults_.ResumeAt("nodes"), now_);
  Post("/sim/fault?kind=cut&count=1&resource=pods");
  EXPECT_FALSE(faults_.TakeCut("nodes"));
  EXPECT_TRUE(faults_.TakeCut("pods"));
  EXPECT_FALSE(faults_.TakeCut("pods"));
  Post("/sim/fault?kind=clear");
  EXPECT_LT(faults_.ResumeAt("pods"), now_);
}

TEST_F(SimControlTest, NonsenseIsRefused) {
  EXPECT_EQ(Post("/sim/fault?kind=explode").status, 400);
  EXPECT_EQ(Post("/sim/fault?kind=refuse&count=many").status, 400);
  EXPECT_EQ(Post("/sim/fault?kind=refuse&code=200").status, 400);
  EXPECT_EQ(Post("/other").status, 404);
  for (size_t i = 0; i < Faults::kMaxRefusals; ++i) Post("/sim/fault?kind=refuse&resource=x");
  EXPECT_EQ(Post("/sim/fault?kind=refuse&resource=x").status, 400);
}

TEST_F(SimControlTest, StatusCountsRequestsByVerbAndResource) {
  Call("GET", "/api/v1/pods");
  Call("GET", "/api/v1/pods");
  const Reply status = control_.Handle("GET", "/sim/status", now_, nullptr);
  EXPECT_THAT(status.body, HasSubstr(R"("list pods":2)"));
}

}  // namespace
}  // namespace weir::sim
