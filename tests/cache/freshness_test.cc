#include "cache/freshness.h"

#include <memory>
#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/fake_api_server.h"
#include "tests/fakes/manual_executor.h"
#include "tests/fakes/recording_replica.h"

namespace weir {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// One synced feed of pods, read from another worker.
class FreshnessTest : public ::testing::Test, private FeedListener {
 protected:
  explicit FreshnessTest(Freshness::Limits limits = {})
      : freshness_(std::make_shared<Freshness>(home_, limits)) {
    server_.Serve(Pods());
    cache_.Subscribe(replica_);
    freshness_->Attach(feed_, cache_);
  }
  ~FreshnessTest() override { freshness_->Detach(); }

  void Start() {
    feed_.Start();
    Run(seconds(10));
  }
  void Run(Duration time = Duration(0)) { ManualExecutor::Advance({&home_, &worker_}, time); }
  Revision Put(std::string name) { return server_.Put(Pods().id, "default", std::move(name), {}); }
  // Where the answer will stand.
  std::shared_ptr<std::optional<bool>> Prove(Revision at_least = {}) {
    auto answer = std::make_shared<std::optional<bool>>();
    freshness_->Prove(at_least, worker_, [answer](bool fresh) { *answer = fresh; });
    return answer;
  }

  void OnFeedProgress() override { freshness_->OnProgress(); }
  void OnTypeMissing() override {}
  bool OnMemoryShort() override { return false; }

  ManualExecutor home_, worker_;
  FakeApiServer server_;
  Cache cache_{home_, {}};
  std::shared_ptr<RecordingReplica> replica_ = std::make_shared<RecordingReplica>();
  std::shared_ptr<Freshness> freshness_;
  std::shared_ptr<MemoryBudget> budget_ = std::make_shared<MemoryBudget>(size_t{1} << 30);
  std::unique_ptr<ListWatcher> upstream_ = server_.Connect(home_);
  Feed feed_{home_, *upstream_, cache_, budget_, Pods(), {}, *this};
};

// The cache is never small enough for a LIST of all.
class FreshnessOfLargeTest : public FreshnessTest {
 protected:
  FreshnessOfLargeTest() : FreshnessTest({.small_bytes = 0}) {}
};

TEST_F(FreshnessTest, NothingChangedIsAnsweredByOneProbe) {
  Start();
  server_.ClearRequests();
  const auto answer = Prove();
  Run();
  EXPECT_EQ(*answer, true);
  ASSERT_EQ(server_.requests().size(), 1u);
  EXPECT_EQ(server_.requests()[0], "/api/v1/pods?limit=1");
}

TEST_F(FreshnessTest, ReadsThatCameBeforeAProbeWasSentShareItAndLaterOnesTheNext) {
  server_.SetChaos({.latency = milliseconds(20)});
  Start();
  server_.ClearRequests();
  std::vector<std::shared_ptr<std::optional<bool>>> answers;
  for (int i = 0; i < 10; ++i) answers.push_back(Prove());
  home_.RunReady();  // The first sends a probe: the nine others came while it ran.
  Run(milliseconds(200));
  EXPECT_EQ(server_.Count("?limit=1"), 2u);
  for (const auto& answer : answers) EXPECT_EQ(*answer, true);
}

TEST_F(FreshnessTest, WriteAcknowledgedBeforeTheReadIsInTheReplicaWhenItIsAnswered) {
  server_.SetEndpointLags({milliseconds(80)});
  Start();
  const Revision written = Put("a");
  bool checked = false;
  freshness_->Prove({}, home_, [&](bool fresh) {
    EXPECT_TRUE(fresh);
    EXPECT_GE(replica_->snapshot().revision, written);
    EXPECT_TRUE(replica_->snapshot().tree.Find("default/a"));
    checked = true;
  });
  Run(seconds(3));
  EXPECT_TRUE(checked);
}

TEST_F(FreshnessTest, QuietSmallTypeIsAnsweredByOneListForAll) {
  Put("a");
  Start();
  server_.Touch();
  server_.ClearRequests();
  const auto first = Prove(), second = Prove();
  Run(milliseconds(200));
  EXPECT_EQ(*first, true);
  EXPECT_EQ(*second, true);
  EXPECT_EQ(server_.Count("?limit=10000"), 1u);
  EXPECT_EQ(server_.Count("timeoutSeconds=3&"), 0u);
  EXPECT_EQ(freshness_->counters().by_list, 2u);
}

TEST_F(FreshnessTest, ListWithOtherObjectsLeavesItToTheStream) {
  Put("a");
  Start();
  server_.SetDeaf(true);
  Put("b");
  const auto answer = Prove();
  Run(seconds(1));
  EXPECT_FALSE(answer->has_value());
  server_.SetDeaf(false);
  Run(seconds(2));
  EXPECT_EQ(*answer, true);
  EXPECT_EQ(server_.Count("?limit=10000"), 2u);  // The feed's own, and one check.
  EXPECT_TRUE(replica_->snapshot().tree.Find("default/b"));
}

TEST_F(FreshnessTest, CacheThatDiffersAtTheSameRevisionIsListedAnew) {
  Put("a");
  Start();
  // An object that upstream never had. The stream is silent from then on, but for what is sent
  // here.
  server_.SetDeaf(true);
  server_.Touch();
  server_.Touch();
  server_.SendRaw(
      Pods().id,
      R"({"type":"ADDED","object":{"kind":"Pod","apiVersion":"v1","metadata":{"name":"ghost",)"
      R"("namespace":"default","uid":"u","resourceVersion":"102"}}})"
      "\n");
  Run();
  ASSERT_TRUE(replica_->snapshot().tree.Find("default/ghost"));
  Run(seconds(2));
  // Until a mark reaches the cache while a LIST is on its way.
  server_.SetChaos({.latency = milliseconds(40)});
  for (int i = 0; i < 20 && feed_.counters().resyncs == 0; ++i) {
    const Revision now = server_.Touch();
    Prove();
    Run(milliseconds(90));
    server_.SendRaw(
        Pods().id,
        R"({"type":"BOOKMARK","object":{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":")" +
            std::to_string(now.value) + "\"}}}\n");
    Run(milliseconds(30));
  }
  Run(seconds(10));
  EXPECT_FALSE(replica_->snapshot().tree.Find("default/ghost"));
}

TEST_F(FreshnessOfLargeTest, QuietLargeTypeIsProvenByAShortWatch) {
  Put("a");
  Start();
  server_.Touch();
  server_.ClearRequests();
  const auto answer = Prove();
  Run(milliseconds(500));
  EXPECT_FALSE(answer->has_value());
  EXPECT_EQ(server_.Count("timeoutSeconds=3&"), 1u);
  Run(milliseconds(1500));
  EXPECT_EQ(*answer, true);
  EXPECT_EQ(server_.Count("?limit=10000"), 0u);
  EXPECT_EQ(replica_->snapshot().revision, server_.revision());
}

TEST_F(FreshnessOfLargeTest, ShortWatchesRotateOnlyWhileReadsCome) {
  Put("a");
  Start();
  server_.ClearRequests();
  for (int i = 0; i < 50; ++i) {
    server_.Touch();
    const auto answer = Prove();
    Run(milliseconds(200));
  }
  const size_t rapid = server_.Count("timeoutSeconds=3&");
  EXPECT_GE(rapid, 3u);
  EXPECT_LE(rapid, 15u);
  Run(seconds(6));
  const size_t after = server_.Count("timeoutSeconds=3&");
  Run(seconds(60));
  EXPECT_EQ(server_.Count("timeoutSeconds=3&"), after);
  EXPECT_TRUE(feed_.streaming());
}

TEST_F(FreshnessOfLargeTest, NoProofInThreeSecondsIsFalse) {
  Start();
  server_.SetDeaf(true);
  Put("a");
  const auto answer = Prove();
  Run(milliseconds(2900));
  EXPECT_FALSE(answer->has_value());
  Run(milliseconds(200));
  EXPECT_EQ(*answer, false);
}

TEST_F(FreshnessTest, UnreachableUpstreamIsFalseAfterThreeSeconds) {
  Start();
  server_.SetHang(true);
  const auto answer = Prove();
  Run(milliseconds(2900));
  EXPECT_FALSE(answer->has_value());
  Run(milliseconds(200));
  EXPECT_EQ(*answer, false);
}

TEST_F(FreshnessTest, FailedProbeIsTriedAgain) {
  Start();
  server_.FailNext(2, 0);
  const auto answer = Prove();
  Run(seconds(1));
  EXPECT_EQ(*answer, true);
}

TEST_F(FreshnessTest, BrokenStreamThatRecoversInTimeProves) {
  Start();
  server_.FailNext(3, 0);
  server_.CutStreams(false);
  Put("a");
  Run();
  ASSERT_EQ(cache_.state(), CacheState::kBroken);
  const auto answer = Prove();
  Run(milliseconds(2900));
  EXPECT_EQ(*answer, true);
  EXPECT_TRUE(replica_->snapshot().tree.Find("default/a"));
}

TEST_F(FreshnessTest, LowerRevisionThanOursEndsTheHistory) {
  Put("a");
  const Revision old = server_.revision();
  Start();
  Put("b");
  Run();
  // The connection survives: only the probe can tell.
  server_.SetDeaf(true);
  server_.Restore(old);
  const auto answer = Prove();
  Run(seconds(4));
  EXPECT_EQ(*answer, false);
  EXPECT_EQ(cache_.revision(), old);
  EXPECT_FALSE(cache_.snapshot().tree.Find("default/b"));
}

TEST_F(FreshnessTest, RefusedTypeIsFalseAtOnce) {
  server_.AnswerAlways(Pods().id, 403);
  Start();
  const auto answer = Prove();
  Run();
  EXPECT_EQ(*answer, false);
}

TEST_F(FreshnessTest, RevisionThatIsHereIsProvenWithoutAsking) {
  const Revision here = Put("a");
  Start();
  server_.ClearRequests();
  const auto answer = Prove(here);
  Run();
  EXPECT_EQ(*answer, true);
  EXPECT_TRUE(server_.requests().empty());
}

TEST_F(FreshnessTest, RevisionThatIsYetToComeIsWaitedFor) {
  Start();
  const Revision next = server_.Touch();
  const auto there = Prove(next);
  const auto never = Prove(Revision{999999});
  Run(seconds(2));
  EXPECT_EQ(*there, true);
  EXPECT_FALSE(never->has_value());
  Run(seconds(2));
  EXPECT_EQ(*never, false);
}

TEST_F(FreshnessTest, DetachAnswersAllThatWait) {
  Start();
  server_.SetHang(true);
  const auto answer = Prove();
  Run();
  freshness_->Detach();
  const auto late = Prove();
  Run();
  EXPECT_EQ(*answer, false);
  EXPECT_EQ(*late, false);
  freshness_->Attach(feed_, cache_);
}

}  // namespace
}  // namespace weir
