#include "proxy/upstream/health_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "proxy/upstream/own_request.h"
#include "proxy/upstream/pool.h"
#include "tests/proxy/upstream/scripted_server.h"

namespace weir {
namespace {

using std::chrono::hours;
using Health = Endpoints::Health;

// Two API servers, of which the first does as it is told.
class HealthCheckTest : public ::testing::Test {
 protected:
  enum Mood { kWell, kShuttingDown, kSilent, kBusy, kAllSilent, kStranger };

  HealthCheckTest() {
    worker_.Start();
    first_.OnRequest([this](const ScriptedServer::Request& request) -> ScriptedServer::Reply {
      const Mood mood = mood_;
      const bool asks_health = request.head.path() == "/readyz";
      if (mood == kSilent || mood == kAllSilent || (mood == kBusy && asks_health)) return "";
      if (mood == kStranger) return "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno";
      return mood == kWell || mood == kBusy
                 ? Answer200("first")
                 : "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno";
    });
    second_.OnRequest([this](const ScriptedServer::Request&) -> ScriptedServer::Reply {
      return mood_ == kAllSilent ? "" : Answer200("second");
    });
    UpstreamConfig config;
    config.servers = {first_.url(), second_.url()};
    config.insecure_skip_tls_verify = true;
    upstream_ = Upstream::Make(config, "", "").value();
    pool_ = std::make_unique<UpstreamPool>(worker_, upstream_);
    CallOn(worker_, [this] { StartHealthChecks(worker_, upstream_); });
  }
  ~HealthCheckTest() override {
    CallOn(worker_, [this] { pool_->Close(); });
    worker_.Discard();
  }

  void WaitFor(Health health) {
    while (upstream_->endpoints().health(0) != health)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  Async<StatusOr<std::string>> Ask() {
    auto connection = co_await pool_->Acquire(CredentialClass::kNone, false);
    if (!connection.ok()) co_return connection.status();
    http::RequestHead head;
    head.method = "GET";
    head.target = "/x";
    WEIR_CO_TRY(co_await (*connection)->SendHead(std::move(head)));
    const auto answer = co_await (*connection)->ReadHead("GET", hours(1));
    if (!answer.ok()) co_return answer.status();
    const auto piece = co_await (*connection)->ReadBody();
    std::string body(piece.value_or(""));
    while (!(*connection)->body_done()) static_cast<void>(co_await (*connection)->ReadBody());
    pool_->Release(std::move(*connection));
    co_return body;
  }
  std::string AskNow() {
    std::string body;
    RunOn(worker_, [&]() -> Async<void> {
      const StatusOr<std::string> answer = co_await Ask();
      body = answer.ok() ? *answer : std::string(Message(answer.status()));
    });
    return body;
  }

  std::atomic<Mood> mood_{kWell};
  ScriptedServer first_, second_;
  Worker worker_{0};
  std::shared_ptr<Upstream> upstream_;
  std::unique_ptr<UpstreamPool> pool_;
};

TEST_F(HealthCheckTest, OneThatShutsDownGetsNothingNewUntilItIsReady) {
  while (AskNow() != "first") {
  }
  mood_ = kShuttingDown;
  WaitFor(Health::kNotReady);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(AskNow(), "second");
  mood_ = kWell;
  WaitFor(Health::kReady);
  while (AskNow() != "first") {
  }
}

TEST_F(HealthCheckTest, OneThatIsOnlyTooBusyToSayHowItIsIsNotLeft) {
  mood_ = kBusy;
  const auto since = std::chrono::steady_clock::now();
  int firsts = 0;
  while (std::chrono::steady_clock::now() - since < std::chrono::seconds(3)) {
    if (AskNow() == "first") ++firsts;
    EXPECT_EQ(upstream_->endpoints().health(0), Health::kReady);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_GT(firsts, 10);
  mood_ = kSilent;
  WaitFor(Health::kDead);
}

TEST_F(HealthCheckTest, WhereAllAreSilentAtOnceTheLastIsNotLeft) {
  mood_ = kAllSilent;
  const auto since = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() - since < std::chrono::milliseconds(2500)) {
    const auto& endpoints = upstream_->endpoints();
    EXPECT_TRUE(endpoints.health(0) == Health::kReady || endpoints.health(1) == Health::kReady);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  mood_ = kSilent;
  WaitFor(Health::kDead);
  EXPECT_EQ(upstream_->endpoints().health(1), Health::kReady);
}

TEST_F(HealthCheckTest, WhatWeirItselfAskedOfOneThatFallsSilentIsAskedElsewhere) {
  while (AskNow() != "second") {
  }  // The first one's turn.
  mood_ = kSilent;
  RunOn(worker_, [&]() -> Async<void> {
    for (int i = 0; i < 4; ++i) {
      const TimePoint deadline = worker_.Now() + std::chrono::minutes(1);
      const auto answer = co_await AskAsSelf(*pool_, "POST", "/review", "{}", deadline);
      EXPECT_EQ(answer.ok() ? answer->body : Message(answer.status()), "second");
    }
  });
  EXPECT_EQ(upstream_->endpoints().health(0), Health::kDead);
}

TEST_F(HealthCheckTest, OneThatDoesNotKnowWeirIsTheLastToBeAsked) {
  mood_ = kStranger;
  WaitFor(Health::kNotReady);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(AskNow(), "second");
}

TEST_F(HealthCheckTest, OneThatFallsSilentIsLeftAndSoAreRequestsThatWaitForIt) {
  while (AskNow() != "second") {
  }  // The first one's turn.
  mood_ = kSilent;
  const auto since = std::chrono::steady_clock::now();
  std::string answer = AskNow();
  if (answer == "second") answer = AskNow();
  EXPECT_THAT(answer, ::testing::HasSubstr("does not answer any more"));
  EXPECT_EQ(upstream_->endpoints().health(0), Health::kDead);
  EXPECT_LT(std::chrono::steady_clock::now() - since, std::chrono::seconds(20));
  for (int i = 0; i < 40; ++i) {
    EXPECT_EQ(AskNow(), "second");
    EXPECT_EQ(upstream_->Unreachable(), "") << "one of them is reached";
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_EQ(upstream_->endpoints().requests(0), 0);
  EXPECT_EQ(upstream_->endpoints().requests(1), 0);
  mood_ = kWell;
  WaitFor(Health::kReady);
  while (AskNow() != "first") {
  }
}

}  // namespace
}  // namespace weir
