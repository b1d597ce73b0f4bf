#include "proxy/upstream/endpoints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/fakes/manual_executor.h"

namespace weir {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;
using Health = Endpoints::Health;

class EndpointsTest : public ::testing::Test {
 protected:
  size_t First(TimePoint now = TimePoint(std::chrono::hours(1))) {
    return endpoints_->Order(now).front();
  }
  std::shared_ptr<Endpoints> endpoints_ = std::make_shared<Endpoints>(3);
};

TEST_F(EndpointsTest, EqualsTakeTurns) {
  EXPECT_THAT((std::vector<size_t>{First(), First(), First()}), UnorderedElementsAre(0, 1, 2));
  EXPECT_THAT(endpoints_->Order(TimePoint()), UnorderedElementsAre(0, 1, 2));
}

TEST_F(EndpointsTest, TheOneWithTheFewestRequestsComesFirst) {
  const Endpoints::Request a = endpoints_->Begin(0), b = endpoints_->Begin(2);
  {
    const Endpoints::Request c = endpoints_->Begin(2);
    for (int i = 0; i < 6; ++i) EXPECT_THAT(endpoints_->Order(TimePoint()), ElementsAre(1, 0, 2));
  }
  EXPECT_EQ(endpoints_->requests(2), 1);
  Endpoints::Request d = endpoints_->Begin(1);
  EXPECT_EQ(endpoints_->requests(1), 1);
  d = Endpoints::Request();
  EXPECT_EQ(endpoints_->requests(1), 0);
}

TEST_F(EndpointsTest, TheDeadComeLastAndThoseNotReadyBeforeThem) {
  endpoints_->SetHealth(0, Health::kDead);
  endpoints_->SetHealth(1, Health::kNotReady);
  const Endpoints::Request busy = endpoints_->Begin(2);
  for (int i = 0; i < 6; ++i) EXPECT_THAT(endpoints_->Order(TimePoint()), ElementsAre(2, 1, 0));
  EXPECT_EQ(endpoints_->OtherThan(2, TimePoint()), 1u);
  EXPECT_EQ(endpoints_->OtherThan(1, TimePoint()), 2u);
}

TEST_F(EndpointsTest, WhatCouldNotBeReachedIsAvoidedForASecond) {
  const TimePoint now(std::chrono::hours(1));
  endpoints_->NoteFailure(0, now);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(endpoints_->Order(now + milliseconds(999)).back(), 0u);
  std::set<size_t> first;
  for (int i = 0; i < 6; ++i) first.insert(First(now + milliseconds(1001)));
  EXPECT_TRUE(first.contains(0));
}

TEST_F(EndpointsTest, ASingleOneIsAlwaysTheOne) {
  Endpoints one(1);
  one.NoteFailure(0, TimePoint());
  EXPECT_THAT(one.Order(TimePoint()), ElementsAre(0));
  EXPECT_EQ(one.OtherThan(0, TimePoint()), 0u);
}

class Recorder final : public Endpoints::Member {
 public:
  explicit Recorder(ManualExecutor& executor) : executor_(executor) {}
  void OnEndpointDead() override {
    EXPECT_TRUE(executor_.IsCurrent());
    ++dead;
  }
  int dead = 0;

 private:
  ManualExecutor& executor_;
};

TEST_F(EndpointsTest, MembersOfADeadOneAreToldOnTheirOwnExecutors) {
  ManualExecutor one, two;
  Recorder a(one), b(two), elsewhere(one), left(two);
  endpoints_->Join(0, one, a);
  endpoints_->Join(0, two, b);
  endpoints_->Join(1, one, elsewhere);
  endpoints_->Join(0, two, left);
  endpoints_->SetHealth(0, Health::kNotReady);
  endpoints_->SetHealth(0, Health::kDead);
  endpoints_->SetHealth(0, Health::kDead);
  EXPECT_EQ(a.dead, 0) << "not inside the call";
  endpoints_->Leave(left);
  one.RunReady();
  two.RunReady();
  EXPECT_EQ(a.dead, 1);
  EXPECT_EQ(b.dead, 1);
  EXPECT_EQ(elsewhere.dead, 0);
  EXPECT_EQ(left.dead, 0);
  for (Recorder* const each : {&a, &b, &elsewhere}) endpoints_->Leave(*each);
}

TEST_F(EndpointsTest, AnotherIsOneThatIsReadyOrAnswersAndKnowsWeirAsWell) {
  Endpoints endpoints(2);
  const TimePoint now = TimePoint(std::chrono::hours(1));
  EXPECT_TRUE(endpoints.AnotherAnswers(0, now)) << "never checked";
  endpoints.SetHealth(1, Endpoints::Health::kNotReady);
  EXPECT_FALSE(endpoints.AnotherAnswers(0, now));
  endpoints.NoteHeard(1, now);
  EXPECT_TRUE(endpoints.AnotherAnswers(0, now));
  EXPECT_FALSE(endpoints.AnotherAnswers(0, now + std::chrono::seconds(1)));
  endpoints.SetStranger(1, true);
  EXPECT_FALSE(endpoints.AnotherAnswers(0, now)) << "it would refuse who is well served here";
  endpoints.SetStranger(0, true);
  EXPECT_TRUE(endpoints.AnotherAnswers(0, now));
  endpoints.SetHealth(1, Endpoints::Health::kDead);
  EXPECT_FALSE(endpoints.AnotherAnswers(0, now));
}

}  // namespace
}  // namespace weir
