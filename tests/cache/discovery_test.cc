#include "cache/discovery.h"

#include <memory>
#include <optional>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/fake_api_server.h"
#include "tests/fakes/manual_executor.h"

namespace weir {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class DiscoveryTest : public ::testing::Test {
 protected:
  DiscoveryTest() {
    server_.Serve(Pods());
    server_.Serve(Leases());
    server_.Serve(CronTabs(), true);
    discovery_ = std::make_shared<Discovery>(
        home_, [this] { return server_.Connect(home_); }, Discovery::Options{},
        Discovery::Listener{[this](const ResourceId& id) { changed_.push_back(id); },
                            [this](std::string_view version) { upgrades_.emplace_back(version); }});
  }
  ~DiscoveryTest() override { discovery_->Stop(); }

  void KnowFacts(StringSet aggregated = {}) {
    discovery_->SetAggregated(Discovery::Source::kKnown, std::move(aggregated));
    discovery_->SetCustom(Discovery::Source::kKnown, OnlyCronTabs());
  }
  static CustomTypes OnlyCronTabs() { return {{"crontabs.stable.example.com", {}}}; }
  struct Answer {
    bool given = false;
    std::optional<DiscoveredType> type;
  };
  std::shared_ptr<Answer> Find(const ResourceId& id) {
    auto answer = std::make_shared<Answer>();
    discovery_->Find(id, worker_, [answer](std::optional<DiscoveredType> type) {
      answer->given = true;
      answer->type = std::move(type);
    });
    return answer;
  }
  void Run(Duration time = Duration(0)) { ManualExecutor::Advance({&home_, &worker_}, time); }

  ManualExecutor home_, worker_;
  FakeApiServer server_;
  std::vector<ResourceId> changed_;
  std::vector<std::string> upgrades_;
  std::shared_ptr<Discovery> discovery_;
};

TEST_F(DiscoveryTest, TypeIsFoundInItsGroupVersionsDocument) {
  const auto leases = Find(Leases().id);
  Run();
  ASSERT_TRUE(leases->type);
  EXPECT_EQ(leases->type->type.kind, "Lease");
  EXPECT_TRUE(leases->type->type.namespaced);
  EXPECT_TRUE(leases->type->type.can_watch);
  EXPECT_FALSE(leases->type->custom);
  EXPECT_THAT(server_.requests(), ElementsAre("/api", "/apis", "/apis/coordination.k8s.io/v1"));
}

TEST_F(DiscoveryTest, KnownTypeIsAnsweredInsideTheCall) {
  Find(Pods().id);
  Run();
  EXPECT_TRUE(Find(Pods().id)->given);
}

TEST_F(DiscoveryTest, UnknownNamesAreAskedAgainOnlyEveryFewSeconds) {
  for (int i = 0; i < 40; ++i) {
    const auto answer = Find({"", "v1", "widgets"});
    const auto group = Find({"apps", "v9", "widgets"});
    Run(std::chrono::milliseconds(100));
    EXPECT_TRUE(answer->given);
    EXPECT_FALSE(answer->type);
    EXPECT_TRUE(group->given);
    EXPECT_FALSE(group->type);
  }
  EXPECT_EQ(server_.Count("/api/v1"), 1u);
  server_.Serve(FakeType("", "v1", "widgets", "Widget"));
  Run(seconds(2));
  const auto answer = Find({"", "v1", "widgets"});
  Run();
  EXPECT_TRUE(answer->type);
}

TEST_F(DiscoveryTest, CustomGroupsWaitUntilItIsKnownWhoAnswersThem) {
  const auto crontabs = Find(CronTabs().id);
  const auto pods = Find(Pods().id);
  Run();
  EXPECT_FALSE(crontabs->given);
  EXPECT_TRUE(pods->type);
  KnowFacts();
  Run();
  ASSERT_TRUE(crontabs->type);
  EXPECT_TRUE(crontabs->type->custom);
}

TEST_F(DiscoveryTest, BuiltInTypesHaveTheirFieldsAndCustomResourcesThoseOfTheirVersion) {
  KnowFacts();
  discovery_->SetCustom(
      Discovery::Source::kKnown,
      {{"crontabs.stable.example.com", {{"v1", SelectableFields::Custom({".spec.color"})}}}});
  const auto pods = Find(Pods().id), crontabs = Find(CronTabs().id);
  Run();
  ASSERT_TRUE(pods->type);
  EXPECT_TRUE(pods->type->fields->Find("spec.nodeName"));
  ASSERT_TRUE(crontabs->type);
  EXPECT_TRUE(crontabs->type->fields->Find("spec.color"));

  ResourceType beta = CronTabs();
  beta.id.version = "v1beta1";
  EXPECT_TRUE(discovery_->Describe(beta).custom);
  EXPECT_EQ(discovery_->Describe(beta).fields->size(), 0u);
}

TEST_F(DiscoveryTest, WhatIsToldOfACustomResourceCountsAtOnce) {
  KnowFacts();
  const auto crontabs = Find(CronTabs().id);
  Run();
  ASSERT_TRUE(crontabs->type);
  EXPECT_EQ(crontabs->type->fields->size(), 0u);
  discovery_->SetCustom(
      Discovery::Source::kKnown,
      {{"crontabs.stable.example.com", {{"v1", SelectableFields::Custom({".spec.color"})}}}});
  EXPECT_EQ(discovery_->Describe(crontabs->type->type).fields->size(), 1u);
  EXPECT_EQ(Find(CronTabs().id)->type->fields->size(), 1u);
}

TEST_F(DiscoveryTest, WaitingEndsAfterThreeSeconds) {
  const auto crontabs = Find(CronTabs().id);
  Run(seconds(3));
  EXPECT_TRUE(crontabs->given);
  EXPECT_FALSE(crontabs->type);
}

TEST_F(DiscoveryTest, AggregatedGroupsAreNotServed) {
  KnowFacts({"stable.example.com/v1"});
  const auto crontabs = Find(CronTabs().id);
  Run();
  EXPECT_TRUE(crontabs->given);
  EXPECT_FALSE(crontabs->type);
}

TEST_F(DiscoveryTest, WithoutTheRightToSeeApiServicesOnlyBuiltInGroupsAreServed) {
  discovery_->SetAggregated(Discovery::Source::kUnavailable, {});
  discovery_->SetCustom(Discovery::Source::kKnown, OnlyCronTabs());
  const auto crontabs = Find(CronTabs().id);
  const auto leases = Find(Leases().id);
  Run();
  EXPECT_TRUE(crontabs->given);
  EXPECT_FALSE(crontabs->type);
  EXPECT_TRUE(leases->type);
}

TEST_F(DiscoveryTest, FailureIsAnsweredWithNothingAndNotRemembered) {
  server_.FailNext(1, 503);
  const auto first = Find(Pods().id);
  Run();
  EXPECT_TRUE(first->given);
  EXPECT_FALSE(first->type);
  Run(seconds(1));
  const auto second = Find(Pods().id);
  Run();
  EXPECT_TRUE(second->type);
}

TEST_F(DiscoveryTest, TypeThatVanishedOrChangedIsReportedByTheRefresh) {
  KnowFacts();
  discovery_->Start();
  Find(CronTabs().id);
  Find(Leases().id);
  Run();
  server_.Unserve(CronTabs().id);
  ResourceType leases = Leases();
  leases.namespaced = false;
  server_.Serve(leases);
  Run(minutes(6));
  EXPECT_THAT(changed_, ::testing::UnorderedElementsAre(CronTabs().id, Leases().id));
}

TEST_F(DiscoveryTest, UpgradeOfUpstreamIsReportedOnce) {
  discovery_->Start();
  Run(minutes(6));
  EXPECT_THAT(upgrades_, IsEmpty());
  server_.SetVersion("v1.38.0");
  Run(minutes(20));
  EXPECT_THAT(upgrades_, ElementsAre("v1.38.0"));
}

TEST_F(DiscoveryTest, ForgottenGroupIsReadAgain) {
  Find(Leases().id);
  Run();
  discovery_->Forget("coordination.k8s.io");
  server_.ClearRequests();
  const auto leases = Find(Leases().id);
  Run();
  EXPECT_TRUE(leases->type);
  EXPECT_EQ(server_.Count("/apis/coordination.k8s.io/v1"), 1u);
  EXPECT_THAT(changed_, IsEmpty());
}

TEST_F(DiscoveryTest, RecheckNoticesAtOnceThatATypeIsGone) {
  KnowFacts();
  Find(CronTabs().id);
  Run();
  server_.Unserve(CronTabs().id);
  discovery_->Recheck(CronTabs().id);
  Run();
  EXPECT_THAT(changed_, ElementsAre(CronTabs().id));
}

}  // namespace
}  // namespace weir
