#include "cache/registry.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/fake_api_server.h"
#include "tests/fakes/manual_executor.h"

namespace weir {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

class NullSink : public WatchSink {
 public:
  bool Write(std::span<const std::string_view> pieces, size_t, size_t) override {
    for (const std::string_view piece : pieces) text += piece;
    return true;
  }
  void End() override { ended = true; }
  std::string text;
  bool ended = false;
};

class RegistryTest : public ::testing::Test {
 protected:
  RegistryTest() {
    for (const ResourceType& type : {Pods(), Leases(), Crds(), ApiServices()}) server_.Serve(type);
    server_.Serve(FakeType("", "v1", "events", "Event"));
    server_.Serve(FakeType("", "v1", "secrets", "Secret"));
    server_.Serve(CronTabs(), true);
    server_.Put(Crds().id, "", "crontabs.stable.example.com", {.generation = 1});
    server_.Put(ApiServices().id, "", "v1.stable.example.com",
                {.spec_json = R"({"version":"v1"})"});
    options_.seed = 7;
  }
  ~RegistryTest() override {
    registry_.reset();
    Run();
  }

  void Make() {
    registry_ = Registry::Make(options_, {{&first_, [this] { return server_.Connect(first_); }},
                                          {&second_, [this] { return server_.Connect(second_); }}});
  }
  void Run(Duration time = Duration(0)) { ManualExecutor::Advance({&first_, &second_}, time); }
  // The replica, or null for "forward"; fails when it takes longer than `patience`.
  std::shared_ptr<Replica> Open(const ResourceId& id, size_t worker = 0,
                                Duration patience = seconds(1), const WantedEncoding& wanted = {}) {
    std::optional<std::shared_ptr<Replica>> answer;
    registry_->Open(worker, id, wanted,
                    [&](std::shared_ptr<Replica> replica) { answer = std::move(replica); });
    Run(patience);
    EXPECT_TRUE(answer.has_value());
    return answer.value_or(nullptr);
  }
  // About 650 bytes in a cache.
  static FakeApiServer::Fields Large() { return {.labels = {{"filler", std::string(300, 'x')}}}; }
  std::optional<FeedStatus> StatusOf(const ResourceId& id) {
    for (const FeedStatus& status : registry_->Status()) {
      if (status.id == id) return status;
    }
    return std::nullopt;
  }

  ManualExecutor first_, second_;
  FakeApiServer server_;
  Registry::Options options_;
  std::unique_ptr<Registry> registry_;
};

TEST_F(RegistryTest, FirstReaderStartsTheOneFeedThatAllWorkersRead) {
  server_.Put(Pods().id, "default", "a", {});
  Make();
  const auto here = Open(Pods().id, 0), there = Open(Pods().id, 1);
  ASSERT_TRUE(here);
  ASSERT_TRUE(there);
  EXPECT_NE(here, there);
  EXPECT_EQ(here->state(), CacheState::kSynced);
  EXPECT_TRUE(there->snapshot().tree.Find("default/a"));
  EXPECT_EQ(server_.Count("/api/v1/pods?limit"), 1u);
  EXPECT_EQ(Open(Pods().id, 0), here);
  const auto status = StatusOf(Pods().id);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->state, CacheState::kSynced);
  EXPECT_EQ(status->objects, 1u);
  EXPECT_EQ(status->reason, "");
  EXPECT_EQ(status->lists, 1u);
}

TEST_F(RegistryTest, EachEncodingHasAFeedOfItsOwn) {
  Make();
  const WantedEncoding protobuf{Encoding::kProtobuf, Encoding::kProtobufMetadata};
  const auto json = Open(Pods().id), proto = Open(Pods().id, 0, seconds(1), protobuf);
  ASSERT_TRUE(json);
  ASSERT_TRUE(proto);
  EXPECT_NE(json, proto);
  EXPECT_EQ(Open(Pods().id, 0, seconds(1), protobuf), proto);
  ASSERT_TRUE(Open(CronTabs().id, 0, seconds(1), protobuf));
  std::vector<std::pair<std::string, Encoding>> feeds;
  for (const FeedStatus& status : registry_->Status()) {
    if (status.id != Crds().id && status.id != ApiServices().id) {
      feeds.emplace_back(status.id.resource, status.encoding);
    }
  }
  EXPECT_THAT(feeds,
              UnorderedElementsAre(Pair("pods", Encoding::kJson), Pair("pods", Encoding::kProtobuf),
                                   Pair("crontabs", Encoding::kProtobufMetadata)));
}

TEST_F(RegistryTest, AnEncodingThatTheTypeDoesNotHaveIsForwarded) {
  Make();
  const WantedEncoding only_built_in{Encoding::kProtobuf, std::nullopt};
  EXPECT_FALSE(Open(CronTabs().id, 0, seconds(1), only_built_in));
  ASSERT_TRUE(Open(CronTabs().id));
  EXPECT_FALSE(Open(CronTabs().id, 0, seconds(1), only_built_in)) << "nor what runs in JSON";
  const WantedEncoding only_custom{std::nullopt, Encoding::kJson};
  EXPECT_FALSE(Open(Pods().id, 0, seconds(1), only_custom));
  ASSERT_TRUE(Open(Pods().id));
  EXPECT_FALSE(Open(Pods().id, 0, seconds(1), only_custom));
}

TEST_F(RegistryTest, WhatIsNotToBeCachedIsForwarded) {
  options_.cache_only = {"pods", "secrets"};
  Make();
  EXPECT_TRUE(Open(Pods().id));
  EXPECT_FALSE(Open({"", "v1", "secrets"}));
  EXPECT_FALSE(Open(Leases().id));
}

TEST_F(RegistryTest, WhatWasFoundBeforeAnotherServerTookItOverIsNotCached) {
  Make();
  std::optional<std::shared_ptr<Replica>> answer;
  registry_->Open(1, CronTabs().id, {},
                  [&](std::shared_ptr<Replica> replica) { answer = std::move(replica); });
  // The answer is on its way to the second worker meanwhile.
  ManualExecutor::Advance({&first_}, seconds(1));
  server_.Put(ApiServices().id, "", "v1.stable.example.com",
              {.spec_json = R"({"version":"v1","service":{"name":"other"}})"});
  ManualExecutor::Advance({&first_}, seconds(1));
  ASSERT_FALSE(answer.has_value());
  Run();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(*answer, nullptr);
  EXPECT_FALSE(StatusOf(CronTabs().id).has_value());
}

TEST_F(RegistryTest, EventsAreCachedThoughUpstreamProvesNothingOfThem) {
  Make();
  const ResourceId events{"", "v1", "events"};
  EXPECT_FALSE(registry_->IsOpen(events, {}));
  const auto replica = Open(events);
  ASSERT_TRUE(replica);
  EXPECT_TRUE(registry_->IsOpen(events, {}));
  EXPECT_FALSE(registry_->IsOpen(events, {Encoding::kProtobuf, Encoding::kJson}));
  EXPECT_EQ(replica->state(), CacheState::kSynced);
  std::optional<ReadOutcome> any, latest;
  const auto now = replica->Read({ReadSpec::Kind::kAny, {}},
                                 [&](ReadOutcome outcome, const Snapshot&) { any = outcome; });
  const auto proof = replica->Read({ReadSpec::Kind::kMostRecent, {}},
                                   [&](ReadOutcome outcome, const Snapshot&) { latest = outcome; });
  server_.ClearRequests();
  Run();
  EXPECT_EQ(any, ReadOutcome::kServe);
  EXPECT_EQ(latest, ReadOutcome::kForward);
  EXPECT_EQ(server_.Count("/events"), 0u) << "nor is anything asked for it";
}

TEST_F(RegistryTest, UnknownAndUnwatchableTypesAreForwarded) {
  ResourceType statuses = FakeType("", "v1", "componentstatuses", "ComponentStatus", false);
  statuses.can_watch = false;
  server_.Serve(statuses);
  Make();
  EXPECT_FALSE(Open({"", "v1", "widgets"}));
  EXPECT_FALSE(Open(statuses.id));
  EXPECT_FALSE(StatusOf(statuses.id));
}

TEST_F(RegistryTest, CustomResourcesAreCachedInTheirOwnForm) {
  Make();
  const auto crontabs = Open(CronTabs().id);
  ASSERT_TRUE(crontabs);
  EXPECT_TRUE(crontabs->snapshot().form->typed_items);
}

// A definition of CronTabs whose one version has one selectable field.
FakeApiServer::Fields Definition(std::string_view path, int64_t generation) {
  return {.spec_json = fmt::format(
              R"({{"versions":[{{"name":"v1","selectableFields":[{{"jsonPath":"{}"}}]}}]}})", path),
          .generation = generation};
}

TEST_F(RegistryTest, SelectableFieldsOfCustomResourcesAreThoseOfTheirDefinition) {
  const std::string definition = "crontabs.stable.example.com";
  server_.Put(Crds().id, "", definition, Definition(".spec.color", 1));
  server_.Put(CronTabs().id, "default", "a", {.spec_json = R"({"color":"red","size":3})"});
  Make();
  const auto before = Open(CronTabs().id);
  ASSERT_TRUE(before);
  Snapshot state = before->snapshot();
  EXPECT_TRUE(state.form->custom);
  EXPECT_TRUE(state.form->fields->Find("spec.color"));
  EXPECT_FALSE(state.form->fields->Find("spec.size"));

  server_.Put(Crds().id, "", definition, Definition(".spec.size", 2));
  Run(seconds(1));
  const auto after = Open(CronTabs().id);
  ASSERT_TRUE(after);
  EXPECT_NE(before, after);
  state = after->snapshot();
  EXPECT_FALSE(state.form->fields->Find("spec.color"));
  EXPECT_TRUE(state.form->fields->Find("spec.size"));
}

TEST_F(RegistryTest, ATypeThatWasFoundBeforeItsDefinitionChangedHasTheNewFields) {
  const std::string definition = "crontabs.stable.example.com";
  server_.Put(Crds().id, "", definition, Definition(".spec.color", 1));
  Make();
  Run();
  std::shared_ptr<Replica> replica;
  registry_->Open(1, CronTabs().id, WantedEncoding(),
                  [&](std::shared_ptr<Replica> opened) { replica = opened; });
  // Found, but the worker that asked has not heard.
  ManualExecutor::Advance({&first_}, Duration(0));
  server_.Put(Crds().id, "", definition, Definition(".spec.size", 2));
  ManualExecutor::Advance({&first_}, Duration(0));
  EXPECT_FALSE(replica);
  Run();
  ASSERT_TRUE(replica);
  EXPECT_TRUE(replica->snapshot().form->fields->Find("spec.size"));
  EXPECT_FALSE(replica->snapshot().form->fields->Find("spec.color"));
}

TEST_F(RegistryTest, BuiltInTypesHaveTheirFieldsAndAreNotCustom) {
  Make();
  const auto pods = Open(Pods().id);
  ASSERT_TRUE(pods);
  EXPECT_TRUE(pods->snapshot().form->fields->Find("status.phase"));
  EXPECT_FALSE(pods->snapshot().form->custom);
}

TEST_F(RegistryTest, GroupsOfOtherServersAreForwardedAndLoseTheirFeeds) {
  Make();
  ASSERT_TRUE(Open(CronTabs().id));
  server_.Put(ApiServices().id, "", "v1.stable.example.com",
              {.spec_json = R"({"service":{"name":"x"}})"});
  Run(seconds(1));
  EXPECT_FALSE(StatusOf(CronTabs().id));
  EXPECT_FALSE(Open(CronTabs().id));
}

TEST_F(RegistryTest, ChangedDefinitionEndsWatchesAndStartsAnew) {
  Make();
  const auto crontabs = Open(CronTabs().id);
  ASSERT_TRUE(crontabs);
  NullSink sink;
  const auto watcher = crontabs->Watch({}, sink);
  watcher->OnWritable();

  server_.Put(Crds().id, "", "crontabs.stable.example.com",
              {.labels = {{"only", "metadata"}}, .generation = 1});
  Run(seconds(1));
  EXPECT_FALSE(sink.ended);

  server_.Put(Crds().id, "", "crontabs.stable.example.com", {.generation = 2});
  Run(seconds(1));
  EXPECT_TRUE(sink.ended);
  EXPECT_EQ(sink.text, "") << "cleanly, as upstream ends it";
  EXPECT_EQ(crontabs->state(), CacheState::kRefused);
  const auto anew = Open(CronTabs().id);
  ASSERT_TRUE(anew);
  EXPECT_NE(anew, crontabs);
  EXPECT_EQ(anew->state(), CacheState::kSynced);
}

TEST_F(RegistryTest, DeletedDefinitionEndsItsFeed) {
  Make();
  ASSERT_TRUE(Open(CronTabs().id));
  server_.Unserve(CronTabs().id);
  server_.Delete(Crds().id, "", "crontabs.stable.example.com");
  Run(seconds(6));
  EXPECT_FALSE(StatusOf(CronTabs().id));
  EXPECT_FALSE(Open(CronTabs().id));
}

TEST_F(RegistryTest, UpgradeOfUpstreamMakesFeedsListAgainWithoutEndingWatches) {
  Make();
  const auto pods = Open(Pods().id);
  NullSink sink;
  const auto watcher = pods->Watch({}, sink);
  watcher->OnWritable();
  server_.SetVersion("v1.38.0");
  Run(minutes(7));
  EXPECT_EQ(server_.Count("/api/v1/pods?limit=10000"), 2u);
  EXPECT_EQ(StatusOf(Pods().id)->resyncs, 1u);
  EXPECT_FALSE(sink.ended);
}

TEST_F(RegistryTest, TypeThatUpstreamNoLongerHasEndsItsFeed) {
  Make();
  ASSERT_TRUE(Open(Leases().id));
  Run(seconds(10));
  server_.Unserve(Leases().id);
  Run(seconds(30));
  EXPECT_FALSE(StatusOf(Leases().id));
}

TEST_F(RegistryTest, FeedsWithoutReadersEndAfterTheIdleTime) {
  options_.idle_timeout = minutes(8);
  Make();
  const auto pods = Open(Pods().id, 1);
  ASSERT_TRUE(Open(Leases().id, 1));
  NullSink sink;
  auto watcher = pods->Watch({}, sink);
  Run(minutes(12));
  EXPECT_TRUE(StatusOf(Pods().id));
  EXPECT_FALSE(StatusOf(Leases().id));
  EXPECT_TRUE(StatusOf(Crds().id));
  watcher.reset();
  Run(minutes(12));
  EXPECT_FALSE(StatusOf(Pods().id));
  EXPECT_TRUE(Open(Leases().id, 1));
}

TEST_F(RegistryTest, TypeThatDoesNotFitTheMemoryIsForwarded) {
  options_.max_cache_bytes = 20000;
  for (int i = 0; i < 200; ++i) server_.Put(Pods().id, "default", "pod-" + std::to_string(i), {});
  Make();
  const auto pods = Open(Pods().id);
  ASSERT_TRUE(pods);
  EXPECT_EQ(pods->state(), CacheState::kRefused);
  EXPECT_THAT(StatusOf(Pods().id)->reason, HasSubstr("memory"));
}

TEST_F(RegistryTest, TheLargestFeedThatNobodyReadsMakesRoom) {
  const ResourceType services = FakeType("", "v1", "services", "Service");
  const auto fill = [this](const ResourceType& type, int count) {
    for (int i = 0; i < count; ++i) {
      server_.Put(type.id, "default", "object-" + std::to_string(i), Large());
    }
  };
  server_.Serve(services);
  fill(Leases(), 30);
  fill(services, 60);
  fill(Pods(), 60);
  options_.max_cache_bytes = 80000;
  int returned = 0;
  options_.memory_returned = [&] { ++returned; };
  Make();
  ASSERT_TRUE(Open(Leases().id));
  ASSERT_TRUE(Open(services.id));
  ASSERT_EQ(StatusOf(services.id)->state, CacheState::kSynced);
  Run(seconds(70));
  EXPECT_TRUE(StatusOf(services.id)) << "nobody needs the room";
  const auto pods = Open(Pods().id, 0, seconds(5));
  EXPECT_EQ(pods->state(), CacheState::kSynced);
  EXPECT_FALSE(StatusOf(services.id));
  EXPECT_TRUE(StatusOf(Leases().id));
  EXPECT_EQ(returned, 1);
}

TEST_F(RegistryTest, FeedsThatAreReadOrWatchedOrWarmMakeNoRoom) {
  for (int i = 0; i < 60; ++i) {
    for (const ResourceType& type : {Leases(), Pods(), CronTabs()}) {
      server_.Put(type.id, "default", "object-" + std::to_string(i), Large());
    }
  }
  options_.max_cache_bytes = 100000;
  options_.prewarm = {CronTabs().id};
  Make();
  Run(seconds(1));
  const auto leases = Open(Leases().id, 1);
  ASSERT_EQ(leases->state(), CacheState::kSynced);
  ASSERT_EQ(StatusOf(CronTabs().id)->state, CacheState::kSynced);
  NullSink sink;
  const auto watcher = leases->Watch({}, sink);
  Run(minutes(5));
  const auto pods = Open(Pods().id, 0, seconds(20));
  EXPECT_EQ(pods->state(), CacheState::kRefused);
  EXPECT_THAT(StatusOf(Pods().id)->reason, HasSubstr("memory"));
  EXPECT_TRUE(StatusOf(Leases().id));
  EXPECT_TRUE(StatusOf(CronTabs().id));
}

TEST_F(RegistryTest, WhatIsToBeWarmRunsFromTheStartAndForEver) {
  const ResourceId secrets{"", "v1", "secrets"};
  const ResourceId later{"", "v1", "services"};
  options_.idle_timeout = minutes(8);
  options_.prewarm = {Pods().id, CronTabs().id, secrets, later};
  Make();
  Run(seconds(1));
  ASSERT_TRUE(StatusOf(Pods().id));
  EXPECT_EQ(StatusOf(Pods().id)->encoding, Encoding::kProtobuf);
  EXPECT_EQ(StatusOf(Pods().id)->state, CacheState::kSynced);
  EXPECT_EQ(StatusOf(CronTabs().id)->encoding, Encoding::kJson);
  EXPECT_FALSE(StatusOf(secrets)) << "excluded";
  Run(minutes(30));
  EXPECT_EQ(StatusOf(Pods().id)->lists, 1u);
  // Even when its definition changes.
  server_.Put(Crds().id, "", "crontabs.stable.example.com", {.generation = 2});
  Run(seconds(1));
  EXPECT_FALSE(StatusOf(CronTabs().id));
  Run(seconds(20));
  EXPECT_TRUE(StatusOf(CronTabs().id));
  // And what comes into being later.
  server_.Serve(FakeType("", "v1", "services", "Service"));
  Run(seconds(40));
  EXPECT_TRUE(StatusOf(later));
}

TEST_F(RegistryTest, ShutdownEndsAllFeedsAndForwards) {
  Make();
  const auto pods = Open(Pods().id);
  ASSERT_TRUE(pods);
  registry_->Shutdown();
  Run();
  EXPECT_EQ(pods->state(), CacheState::kRefused);
  EXPECT_TRUE(registry_->Status().empty());
  EXPECT_EQ(server_.open_streams(), 0u);
  EXPECT_FALSE(Open(Pods().id));
}

TEST_F(RegistryTest, ReadersOfAMostRecentStateAreServedOnBothWorkers) {
  Make();
  const auto here = Open(Pods().id, 0), there = Open(Pods().id, 1);
  server_.Put(Pods().id, "default", "a", {});
  for (const auto& replica : {here, there}) {
    bool served = false;
    const auto ticket = replica->Read({.kind = ReadSpec::Kind::kMostRecent, .revision = {}},
                                      [&](ReadOutcome outcome, Snapshot state) {
                                        served = outcome == ReadOutcome::kServe &&
                                                 static_cast<bool>(state.tree.Find("default/a"));
                                      });
    Run(seconds(1));
    EXPECT_TRUE(served);
  }
}

}  // namespace
}  // namespace weir
