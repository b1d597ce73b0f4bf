// Events: of a type that upstream keeps no cache for, what Weir's own answers and what it forwards.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/k8s/continue_token.h"
#include "tests/proxy/session/session_fixture.h"

namespace weir {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

// A cache that has seen revisions 100 to 105, and has the events a/x, a/y, b/z.
class UncachedTest : public SessionTest {
 protected:
  UncachedTest() {
    proofs_->answer = std::nullopt;  // None ever comes.
    CallOn(worker_, [this] {
      log_ = LogBuilder();
      log_.SetType({"", "v1", "events"}, true);
      log_.now = worker_.Now();
      log_.Seed("a/x", 90).Seed("a/y", 95);
      replica_->OnReset(log_.Begin(), CacheState::kSynced);
      replica_->OnBatch(log_.PutAt("b/z", 105).Cut(), 1);
    });
  }
  bool IsServed(const std::string& target) {
    const size_t before = UpstreamTargets().size();
    const auto exchange = HandleGet(target);
    EXPECT_EQ(exchange->status(), 200) << target;
    const bool served = UpstreamTargets().size() == before;
    EXPECT_EQ(exchange->body == "from upstream", !served) << target;
    return served;
  }
};

TEST_F(UncachedTest, TheLatestStateIsUpstreamsToTell) {
  const std::string watch = "/api/v1/events?watch=1&timeoutSeconds=1";
  const std::string initial = "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
  const std::vector<std::string> targets = {
      "/api/v1/events",
      "/api/v1/events?limit=1",
      "/api/v1/namespaces/a/events",
      watch,
      watch + initial + "&allowWatchBookmarks=true",
      "/api/v1/namespaces/a/events/x",
      "/api/v1/namespaces/a/events/x?resourceVersion=0",
      "/apis/events.k8s.io/v1/events",
  };
  for (const std::string& target : targets) {
    EXPECT_FALSE(IsServed(target)) << target;
  }
  EXPECT_THAT(fake_registry_->opened, IsEmpty()) << "for that alone there is no feed";
}

TEST_F(UncachedTest, ARevisionIsHereOrUpstreams) {
  for (const char* revision : {"0", "1", "105"}) {
    EXPECT_TRUE(IsServed(std::string("/api/v1/events?resourceVersion=") + revision)) << revision;
  }
  EXPECT_FALSE(IsServed("/api/v1/events?resourceVersion=106"));
  const std::string initial =
      "/api/v1/events?watch=1&timeoutSeconds=1&sendInitialEvents=true&resourceVersionMatch="
      "NotOlderThan&resourceVersion=";
  EXPECT_TRUE(IsServed(initial + "105"));
  EXPECT_FALSE(IsServed(initial + "106"));
}

TEST_F(UncachedTest, AWatchGoesOnWhereHistoryReaches) {
  const std::string watch = "/api/v1/events?watch=1&timeoutSeconds=1&resourceVersion=";
  EXPECT_TRUE(IsServed(watch + "100"));
  EXPECT_TRUE(IsServed(watch + "105"));
  EXPECT_TRUE(IsServed(watch + "1000")) << "what follows will come";
  EXPECT_FALSE(IsServed(watch + "99")) << "etcd keeps more";
}

TEST_F(UncachedTest, WhoMayHaveSeenAPartOfARevisionIsNotToldToGoOnFromIt) {
  const std::string watch = "/api/v1/events?watch=1&timeoutSeconds=1&resourceVersion=";
  CallOn(worker_, [this] {
    replica_->OnBatch(log_.DeleteAt("a/x", 110).Cut(), 1);
    replica_->OnBatch(log_.DeleteAt("a/y", 110).Cut(), 1);
  });
  const size_t before = UpstreamTargets().size();
  EXPECT_THAT(HandleGet(watch + "110")->body, HasSubstr("too old resource version: 110 (111)"));
  EXPECT_EQ(UpstreamTargets().size(), before) << "which would go on";
  EXPECT_TRUE(IsServed(watch + "105"));
  // A list of that revision could not be watched from.
  EXPECT_FALSE(IsServed("/api/v1/events?resourceVersion=0"));
  EXPECT_FALSE(IsServed("/api/v1/events?resourceVersion=110"));
  CallOn(worker_, [this] { replica_->OnBatch(log_.PutAt("a/z", 111).Cut(), 1); });
  EXPECT_TRUE(IsServed("/api/v1/events?resourceVersion=0"));
  EXPECT_TRUE(IsServed(watch + "111"));
}

TEST_F(UncachedTest, WhoMayHaveSeenAPartOfADifferenceIsNotToldToGoOnFromIt) {
  const std::string watch = "/api/v1/events?watch=1&timeoutSeconds=1&resourceVersion=";
  CallOn(worker_, [this] {
    log_.DeleteAt("a/x", 112).PutAt("a/z", 117).Reach(120);
    replica_->OnBatch(log_.Cut(true, Revision{106}), 1);
  });
  const size_t before = UpstreamTargets().size();
  EXPECT_THAT(HandleGet(watch + "112")->body, HasSubstr("too old resource version: 112 (120)"));
  EXPECT_EQ(UpstreamTargets().size(), before) << "which does not know what it was told";
  EXPECT_TRUE(IsServed(watch + "106"));
  EXPECT_TRUE(IsServed(watch + "120"));
  // Nor when the log has moved on.
  CallOn(worker_,
         [this] { replica_->OnBatch(log_.PutAt("a/w", 130).Cut(), log_.next_sequence() - 1); });
  EXPECT_THAT(HandleGet(watch + "112")->body, HasSubstr("too old resource version: 112"));
  EXPECT_FALSE(IsServed(watch + "99")) << "etcd keeps more";
}

TEST_F(UncachedTest, AFeedThatBeginsHasNoPast) {
  const std::string watch = "/api/v1/events?watch=1&timeoutSeconds=1&resourceVersion=105";
  const std::string list = "/api/v1/events?resourceVersion=105";
  fake_registry_->open = false;
  EXPECT_FALSE(IsServed(list));
  EXPECT_THAT(fake_registry_->opened, IsEmpty());
  EXPECT_FALSE(IsServed(watch));
  EXPECT_THAT(fake_registry_->opened, SizeIs(1)) << "for the next watch";
  // It is there, and has not listed yet: nobody waits for what will not do.
  fake_registry_->open = true;
  CallOn(worker_, [this] { replica_->OnState(CacheState::kStarting); });
  EXPECT_FALSE(IsServed(list));
  EXPECT_FALSE(IsServed(watch));
}

TEST_F(UncachedTest, PagesHoldAtRevisionZeroAndHaveEtcdsTokens) {
  const auto first = HandleGet("/api/v1/events?resourceVersion=0&limit=2");
  EXPECT_THAT(first->body,
              AllOf(HasSubstr("\"name\":\"x\""), HasSubstr("\"name\":\"y\""),
                    Not(HasSubstr("\"name\":\"z\"")), HasSubstr(R"("remainingItemCount":1)")));
  const std::string token = ContinueToken::Encode(105, "a/y", /*leading_slash=*/false);
  EXPECT_THAT(first->body, HasSubstr("\"continue\":\"" + token + "\""));
  const auto second = HandleGet("/api/v1/events?limit=2&continue=" + token);
  EXPECT_THAT(second->body, AllOf(HasSubstr("\"name\":\"z\""), Not(HasSubstr("continue"))));

  const auto in_namespace = HandleGet("/api/v1/namespaces/a/events?resourceVersion=0&limit=1");
  EXPECT_THAT(in_namespace->body,
              HasSubstr(ContinueToken::Encode(105, "x", /*leading_slash=*/false)));
  EXPECT_THAT(UpstreamTargets(), IsEmpty());
}

TEST_F(UncachedTest, NothingIsServedWithoutAuthorisation) {
  authorizer_.kind = Verdict::Kind::kDenied;
  for (const char* target : {"/api/v1/events?resourceVersion=0",
                             "/apis/events.k8s.io/v1/events?watch=1&resourceVersion=0"}) {
    EXPECT_EQ(HandleGet(target)->status(), 403);
  }
  EXPECT_THAT(UpstreamTargets(), IsEmpty());
}

}  // namespace
}  // namespace weir
