#include "proxy/config/live_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "proxy/config/option_table.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(LiveConfig, FollowsTheOptionsThatMayChange) {
  const Config first;
  LiveConfig live(first);
  Config read = first;
  read.max_requests_inflight = 7;
  read.write_stall_timeout = std::chrono::seconds(5);
  read.v = 3;
  const Config& before = *live;
  const LiveConfig::Changes changes = live.TakeUp(read);
  EXPECT_THAT(changes.taken_up,
              ElementsAre("--max-requests-inflight=7", "--write-stall-timeout=5s", "--v=3"));
  EXPECT_THAT(changes.waiting, IsEmpty());
  EXPECT_EQ(live->max_requests_inflight, 7u);
  EXPECT_EQ(before.max_requests_inflight, first.max_requests_inflight) << "and stays readable";
  EXPECT_THAT(live.TakeUp(read).taken_up, IsEmpty());
}

TEST(LiveConfig, LeavesTheOthersForTheNextStartAndSaysSoOnce) {
  const Config first;
  LiveConfig live(first);
  Config read = first;
  read.secure_port = 7443;
  read.cache_never = {"secrets", "pods"};
  read.max_watches = 5;
  const LiveConfig::Changes changes = live.TakeUp(read);
  EXPECT_THAT(changes.waiting, ElementsAre("--secure-port=7443", "--cache-never=secrets,pods"));
  EXPECT_THAT(changes.taken_up, ElementsAre("--max-watches=5"));
  EXPECT_EQ(live->secure_port, first.secure_port);
  EXPECT_EQ(live->cache_never, first.cache_never);
  EXPECT_THAT(live.TakeUp(read).waiting, IsEmpty());
  EXPECT_THAT(live.TakeUp(first).waiting, IsEmpty());
  EXPECT_EQ(live->max_watches, first.max_watches);
  read.max_watches = first.max_watches;
  EXPECT_THAT(live.TakeUp(read).waiting,
              ElementsAre("--secure-port=7443", "--cache-never=secrets,pods"));
}

TEST(LiveConfig, WhatMayChangeGoesThroughTextUnharmed) {
  Config config;
  config.rebalance_peers = {"a:1", "[::1]:2"};  // The one list that may.
  size_t live = 0;
  for (const Option& option : OptionTable()) {
    if (!option.live) continue;
    ++live;
    EXPECT_TRUE(option.kind != Option::Kind::kList || option.flag == "rebalance-peers")
        << option.flag;
    Config copy;
    EXPECT_TRUE(option.set(copy, {option.get(config)}).ok()) << option.flag;
    EXPECT_EQ(option.get(copy), option.get(config)) << option.flag;
    // Back to what it was.
    EXPECT_TRUE(option.set(copy, {option.get(Config())}).ok()) << option.flag;
    EXPECT_EQ(option.get(copy), option.get(Config())) << option.flag;
  }
  EXPECT_GE(live, 20u);
}

}  // namespace
}  // namespace weir
