#include "proxy/rebalance/rebalancer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <mutex>
#include <thread>

#include "proxy/admin/metrics.h"
#include "tests/proxy/rebalance/replica_fixture.h"

namespace weir {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

// A process of two workers, whose connections are gone once they are sent away.
class RebalancerTest : public ::testing::Test {
 protected:
  RebalancerTest() { config_.rebalance_per_second = 100'000; }

  Rebalancer::Process AsProcess() {
    Rebalancer::Process process;
    process.load = [this] {
      const std::lock_guard lock(mutex_);
      ++looks_;
      return ReplicaLoad{myself_.instance(), connections_[0] + connections_[1], leaving_, ready_};
    };
    process.closing = [this] { return closing_.load(); };
    process.connections = [this] {
      const std::lock_guard lock(mutex_);
      return connections_;
    };
    process.send_away = [this](size_t worker, size_t count) {
      const std::lock_guard lock(mutex_);
      if (after_ != After::kBack) connections_.at(worker) -= count;
      if (after_ == After::kLeaving) leaving_ += count;
      ++orders_;
      sent_ += count;
    };
    return process;
  }
  size_t sent() {
    const std::lock_guard lock(mutex_);
    return sent_;
  }
  // With the names of `replicas`, and of this one.
  void Start(const std::vector<const FakeReplica*>& replicas) {
    config_.rebalance_peers = {myself_.name()};
    for (const FakeReplica* replica : replicas) config_.rebalance_peers.push_back(replica->name());
    rebalancer_ = std::make_unique<Rebalancer>(live_, AsProcess(), 10ms);
    rebalancer_->Start();
  }
  static void WaitUntil(const std::function<bool()>& done) {
    const auto limit = std::chrono::steady_clock::now() + 10s;
    while (!done() && std::chrono::steady_clock::now() < limit) std::this_thread::sleep_for(1ms);
    EXPECT_TRUE(done());
  }
  // Until it has looked three times more: whatever it wanted to do is done.
  void WaitForLooks() {
    const int before = looks();
    WaitUntil([&] { return looks() >= before + 3; });
  }
  int looks() {
    const std::lock_guard lock(mutex_);
    return looks_;
  }
  std::vector<size_t> connections() {
    const std::lock_guard lock(mutex_);
    return connections_;
  }
  size_t orders() {
    const std::lock_guard lock(mutex_);
    return orders_;
  }

  Config config_;
  LiveConfig live_{config_};
  FakeReplica myself_{0};  // What is said here is not asked of myself.
  std::mutex mutex_;
  std::vector<size_t> connections_ = {80, 40};
  uint64_t leaving_ = 0;
  bool ready_ = true;
  int looks_ = 0;
  size_t orders_ = 0;
  size_t sent_ = 0;
  // Where those are who were sent away: here, as their watches run; nowhere, as they had none; here
  // again.
  enum class After { kLeaving, kNowhere, kBack };
  After after_ = After::kLeaving;
  std::atomic<bool> closing_{false};
  std::unique_ptr<Rebalancer> rebalancer_;
};

TEST_F(RebalancerTest, WhatIsAboveTheShareIsSentAwayOnce) {
  FakeReplica other(0);
  Start({&other});
  WaitUntil([this] { return connections() == std::vector<size_t>{30, 30}; });
  EXPECT_EQ(ProcessMetrics().rebalance_peers.value(), 1);
  WaitForLooks();
  EXPECT_THAT(connections(), ElementsAre(30, 30));
  // They have come to the other one.
  other.Set(60);
  WaitForLooks();
  EXPECT_THAT(connections(), ElementsAre(30, 30));
}

TEST_F(RebalancerTest, NotFasterThanItMay) {
  config_.rebalance_per_second = 10;
  FakeReplica other(0);
  Start({&other});
  const auto begun = std::chrono::steady_clock::now();
  WaitUntil([this] { return orders() >= 5; });
  EXPECT_GE(std::chrono::steady_clock::now() - begun, 390ms);  // The first goes at once.
  EXPECT_LE(120 - connections()[0] - connections()[1], orders());
}

TEST_F(RebalancerTest, WhoIsNowhereMeanwhileIsNotMissed) {
  after_ = After::kNowhere;  // The share falls with each.
  FakeReplica other(0);
  Start({&other});
  WaitUntil([this] { return sent() >= 60; });
  WaitForLooks();
  EXPECT_EQ(sent(), 60u);
}

TEST_F(RebalancerTest, WhereClientsComeBackTheyAreSentEverMoreSeldom) {
  after_ = After::kBack;
  FakeReplica other(0);
  Start({&other});
  WaitUntil([this] { return sent() >= 60; });
  const auto first = std::chrono::steady_clock::now();
  WaitUntil([this] { return sent() >= 120; });
  const auto second = std::chrono::steady_clock::now();
  EXPECT_GE(second - first, 170ms);  // Eighteen looks.
  WaitUntil([this] { return sent() >= 180; });
  EXPECT_GE(std::chrono::steady_clock::now() - second, 340ms);
  EXPECT_EQ(sent(), 180u);
}

TEST_F(RebalancerTest, WhoIsAloneKeepsAll) {
  Start({});
  WaitForLooks();
  EXPECT_GT(myself_.asked, 0);
  EXPECT_EQ(orders(), 0u);
  EXPECT_EQ(ProcessMetrics().rebalance_peers.value(), 0);
}

TEST_F(RebalancerTest, NobodyIsSentToAReplicaThatIsNotReady) {
  FakeReplica other(0, false);
  Start({&other});
  WaitForLooks();
  EXPECT_GT(other.asked, 0);
  EXPECT_EQ(orders(), 0u);
}

TEST_F(RebalancerTest, NothingIsDoneWithinTheTolerance) {
  FakeReplica other(104);
  Start({&other});
  WaitForLooks();
  EXPECT_EQ(orders(), 0u);
  EXPECT_EQ(ProcessMetrics().rebalance_peers.value(), 1);
}

TEST_F(RebalancerTest, NothingIsDoneWhileTheProcessClosesOrIsNotReady) {
  FakeReplica other(0);
  ready_ = false;
  Start({&other});
  WaitForLooks();
  EXPECT_EQ(orders(), 0u);
  closing_ = true;
  {
    const std::lock_guard lock(mutex_);
    ready_ = true;
  }
  // A look that had begun before may end after.
  const int asked = other.asked;
  std::this_thread::sleep_for(50ms);
  EXPECT_LE(other.asked, asked + 1);
  EXPECT_EQ(orders(), 0u);
}

TEST_F(RebalancerTest, TheOptionMayChange) {
  FakeReplica other(0);
  config_.rebalance_peers = {};
  rebalancer_ = std::make_unique<Rebalancer>(live_, AsProcess(), 10ms);
  rebalancer_->Start();
  Config changed = config_;
  changed.rebalance_peers = {other.name()};
  EXPECT_EQ(live_.TakeUp(changed).taken_up.size(), 1u);
  rebalancer_->Start();
  WaitUntil([this] { return connections() == std::vector<size_t>{30, 30}; });
  EXPECT_EQ(live_.TakeUp(config_).taken_up.size(), 1u);
  rebalancer_->Start();
  WaitUntil([] { return ProcessMetrics().rebalance_peers.value() == 0; });
  const size_t before = orders();
  {
    const std::lock_guard lock(mutex_);
    connections_[0] += 1000;
  }
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(orders(), before);
}

TEST_F(RebalancerTest, AfterStopNothingIsCalled) {
  FakeReplica other(0);
  Start({&other});
  WaitUntil([this] { return orders() > 0; });
  rebalancer_->Stop();
  const int before = looks();
  other.Set(0);
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(looks(), before);
}

}  // namespace
}  // namespace weir
