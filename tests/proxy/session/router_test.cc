#include "proxy/session/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/admin/metrics.h"
#include "tests/proxy/session/session_fixture.h"

namespace weir {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

class RouterTest : public SessionTest {
 protected:
  static constexpr const char* kList = "/api/v1/pods?resourceVersion=0";

  void ExpectNothingOfTheCache(const MemoryExchange& exchange, int status) {
    EXPECT_EQ(exchange.status(), status);
    EXPECT_TRUE(exchange.finished);
    EXPECT_THAT(exchange.body, Not(HasSubstr("secret-of-a")));
    EXPECT_THAT(fake_registry_->opened, IsEmpty());
    EXPECT_THAT(UpstreamTargets(), IsEmpty()) << "nor is it forwarded";
  }
  void ExpectForwarded(const MemoryExchange& exchange) {
    EXPECT_EQ(exchange.body, "from upstream");
    EXPECT_THAT(UpstreamTargets(), Not(IsEmpty()));
  }

  // A watch that runs beside the test's story.
  struct Running {
    Running(Worker& worker, http::RequestHead head)
        : exchange(worker, std::move(head)), ended(worker) {}
    MemoryExchange exchange;
    Signal ended;
    bool over = false;
  };
  static Async<void> RunHandler(Service* service, Running* running) {
    co_await HandleRequest(*service, running->exchange);
    co_await running->exchange.UntilOver();
    running->over = true;
    running->ended.Notify();
  }
  void Begin(Running& running) { worker_.Spawn(RunHandler(&service_, &running)); }
  static Async<void> UntilBody(MemoryExchange& exchange, std::string_view text) {
    while (exchange.body.find(text) == std::string::npos) co_await exchange.changed.Wait();
  }
  void Publish() { replica_->OnBatch(log_.Cut(), 0); }
};

TEST_F(RouterTest, AnAuthorisedListComesFromTheCache) {
  const auto exchange = HandleGet(kList);
  EXPECT_EQ(exchange->status(), 200);
  EXPECT_THAT(exchange->body, AllOf(HasSubstr("secret-of-a"), HasSubstr("of-b")));
  EXPECT_THAT(UpstreamTargets(), IsEmpty());
  ASSERT_EQ(authorizer_.asked.size(), 1u);
  EXPECT_EQ(authorizer_.asked[0].verb, "list");
  EXPECT_EQ(authorizer_.asked[0].resource.resource, "pods");
  EXPECT_EQ(*exchange->head->headers.First("Content-Type"), "application/json");
  EXPECT_EQ(*exchange->head->headers.First("Cache-Control"), "no-cache, private");
  EXPECT_TRUE(exchange->head->headers.Has("Audit-Id"));
}

TEST_F(RouterTest, FirstPagesOfANodeAreUpstreams) {
  const std::string by_node = "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1&limit=1";
  ExpectForwarded(*HandleGet(by_node));
  for (const char* limit : {"", "&limit=500"}) {  // At revision 0 there are no pages.
    const auto exchange = HandleGet(
        "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1&resourceVersion=0" + std::string(limit));
    EXPECT_THAT(exchange->body, HasSubstr("PodList"));
  }
  EXPECT_EQ(UpstreamTargets().size(), 1u);
}

TEST_F(RouterTest, NoCachedByteWithoutAuthentication) {
  for (const auto& [kind, status] :
       std::vector<std::pair<AuthResult::Kind, int>>{{AuthResult::Kind::kRejected, 401},
                                                     {AuthResult::Kind::kUnavailable, 503},
                                                     {AuthResult::Kind::kOverloaded, 429}}) {
    authenticator_.result = {kind, nullptr};
    for (const char* target : {kList, "/api/v1/namespaces/default/pods/a?resourceVersion=0",
                               "/api/v1/pods?watch=1&resourceVersion=0", "/api/v1/pods"}) {
      const auto exchange = HandleGet(target);
      ExpectNothingOfTheCache(*exchange, status);
      EXPECT_EQ(exchange->head->headers.Has("Retry-After"), status != 401);
    }
  }
  EXPECT_THAT(authorizer_.asked, IsEmpty());
}

TEST_F(RouterTest, NoCachedByteWithoutAuthorisation) {
  for (const auto& [kind, status] :
       std::vector<std::pair<Verdict::Kind, int>>{{Verdict::Kind::kDenied, 403},
                                                  {Verdict::Kind::kUnavailable, 503},
                                                  {Verdict::Kind::kOverloaded, 429}}) {
    authorizer_.kind = kind;
    for (const char* target : {kList, "/api/v1/namespaces/default/pods/a?resourceVersion=0",
                               "/api/v1/pods?watch=1&resourceVersion=0", "/api/v1/pods"}) {
      const auto exchange = HandleGet(target);
      ExpectNothingOfTheCache(*exchange, status);
      EXPECT_EQ(exchange->head->headers.Has("X-Content-Type-Options"), status == 403);
    }
  }
}

TEST_F(RouterTest, AnonymousRequestsAreForwardedNeverServed) {
  authenticator_.result = {AuthResult::Kind::kAnonymous, nullptr};
  authenticator_.credentials = {};
  const auto exchange = HandleGet(kList);
  ExpectForwarded(*exchange);
  EXPECT_THAT(fake_registry_->opened, IsEmpty());
}

TEST_F(RouterTest, ExcludedResourcesAreForwardedUnasked) {
  config_.cache_never = {"secrets", "leases.coordination.k8s.io"};
  for (const char* target : {"/api/v1/secrets?resourceVersion=0",
                             "/apis/coordination.k8s.io/v1/leases?watch=1&resourceVersion=0"})
    ExpectForwarded(*HandleGet(target));
  config_.cache_only = {"nodes"};
  ExpectForwarded(*HandleGet(kList));
  EXPECT_EQ(authenticator_.asked, 0u) << "upstream authenticates what it answers";
  EXPECT_THAT(fake_registry_->opened, IsEmpty());
}

TEST_F(RouterTest, SingleKeysAtTheLatestStateAreForwarded) {
  for (const char* target : {"/api/v1/namespaces/default/pods/a",
                             "/api/v1/namespaces/default/pods?fieldSelector=metadata.name%3Da",
                             "/api/v1/nodes?fieldSelector=metadata.name%3Dn",
                             "/api/v1/namespaces/default/"
                             "pods?fieldSelector=metadata.name%3Da&resourceVersion=5&limit=1"})
    ExpectForwarded(*HandleGet(target));
  EXPECT_THAT(fake_registry_->opened, IsEmpty());
  for (const char* target :
       {"/api/v1/namespaces/default/pods?fieldSelector=metadata.name%3Da&resourceVersion=5",
        "/api/v1/namespaces/default/"
        "pods?fieldSelector=metadata.name%3Da&resourceVersion=0&limit=1"})
    EXPECT_EQ(HandleGet(target)->status(), 200);
  EXPECT_THAT(fake_registry_->opened, SizeIs(2));
}

TEST_F(RouterTest, WhatDiscoveryDoesNotKnowIsForwarded) {
  fake_registry_->replica = nullptr;
  ExpectForwarded(*HandleGet(kList));
  EXPECT_EQ(fake_registry_->opened.size(), 1u);
}

TEST_F(RouterTest, ImpersonationIsForwardedUnderTheRequestorsIdentity) {
  http::RequestHead head = Get(kList);
  head.headers.Add("Impersonate-User", "bob");
  ExpectForwarded(*Handle(std::move(head)));
  EXPECT_EQ(*api_server_.requests()[0].head.headers.First("Impersonate-User"), "bob");
  EXPECT_EQ(*api_server_.requests()[0].head.headers.First("Authorization"), "Bearer alices-token");
  EXPECT_THAT(fake_registry_->opened, IsEmpty());
}

TEST_F(RouterTest, HeadersThatTwoServersCouldReadDifferentlyAreRefused) {
  http::RequestHead head = Get(kList);
  head.headers.Add("X_Remote_User", "root");
  const auto exchange = Handle(std::move(head));
  ExpectNothingOfTheCache(*exchange, 400);
  EXPECT_FALSE(exchange->head->keep_alive);
  EXPECT_EQ(authenticator_.asked, 0u);
}

TEST_F(RouterTest, AGetWithARevisionComesFromTheCacheOrIsNotFound) {
  const auto found = HandleGet("/api/v1/namespaces/default/pods/a?resourceVersion=0");
  EXPECT_EQ(found->status(), 200);
  EXPECT_THAT(found->body, AllOf(StartsWith(R"({"kind":"Pod","apiVersion":"v1",)"),
                                 HasSubstr("secret-of-a"), EndsWith("}\n")));
  EXPECT_EQ(found->head->body.kind, http::BodyFraming::Kind::kLength);
  EXPECT_EQ(found->head->body.length, found->body.size());
  const auto missing = HandleGet("/api/v1/namespaces/default/pods/b?resourceVersion=0");
  EXPECT_EQ(missing->status(), 404) << "of another namespace";
  EXPECT_THAT(missing->body, Not(HasSubstr("of-b")));
}

TEST_F(RouterTest, ACustomResourceCalledNamespacesIsNoNamespace) {
  // Its path has no route upstream, and a right inside the namespace is no right to it.
  CallOn(worker_, [this] {
    LogBuilder log;
    log.SetType({"example.com", "v1", "namespaces"}, /*namespaced=*/false);
    log.Seed("a", 90, {.note = "secret-of-a"});
    replica_ = Replica::Make(worker_, proofs_, {});
    replica_->OnReset(log.Begin(), CacheState::kSynced);
    fake_registry_->replica = replica_;
  });
  const auto got = HandleGet("/apis/example.com/v1/namespaces/a?resourceVersion=0");
  EXPECT_THAT(got->body, AllOf(HasSubstr("from upstream"), Not(HasSubstr("secret-of-a"))));
}

TEST_F(RouterTest, ALongObjectIsWrittenInWindows) {
  CallOn(worker_, [&] {
    log_.Put("default/large", {.note = std::string(1'000'000, 'x')});
    Publish();
  });
  const auto exchange = HandleGet("/api/v1/namespaces/default/pods/large?resourceVersion=0");
  EXPECT_GT(exchange->body.size(), 1'000'000u);
  EXPECT_THAT(exchange->body, EndsWith("}\n"));
  EXPECT_EQ(exchange->head->body.kind, http::BodyFraming::Kind::kChunked);
  for (const size_t size : exchange->writes) EXPECT_LE(size, 256u * 1024);
}

TEST_F(RouterTest, ALatestListNeedsAProofAndIsForwardedWithout) {
  EXPECT_THAT(HandleGet("/api/v1/pods")->body, HasSubstr("secret-of-a"));
  proofs_->answer = false;
  ExpectForwarded(*HandleGet("/api/v1/pods"));
}

TEST_F(RouterTest, ARequestsOwnTimeoutHasItsOddBody) {
  proofs_->answer = std::nullopt;
  const auto exchange = HandleGet("/api/v1/pods?timeout=20ms");
  EXPECT_EQ(exchange->status(), 504);
  EXPECT_THAT(*exchange->head->headers.First("Content-Type"), StartsWith("text/plain"));
  EXPECT_EQ(exchange->body,
            R"({"metadata":{},"status":"Failure","message":"Timeout: request did not complete )"
            R"(within the allotted timeout","reason":"Timeout","details":{},"code":504})"
            "\n");
}

TEST_F(RouterTest, ASlowListReaderIsWaitedFor) {
  RunOn(worker_, [&]() -> Async<void> {
    for (int i = 0; i < 40; ++i)
      log_.Put("default/p" + std::to_string(i), {.note = std::string(20'000, 'x')});
    Publish();
    Running list(worker_, Get(kList));
    list.exchange.block_writes = true;
    Begin(list);
    size_t rounds = 0;
    while (!list.over) {
      while (!list.exchange.blocked && !list.over) co_await list.exchange.changed.Wait();
      ++rounds;
      list.exchange.Unblock(false);
      Signal turn(worker_);
      co_await turn.Wait(worker_.Now() + milliseconds(1));
    }
    EXPECT_GE(rounds, 3u) << "800 KB in windows";
    EXPECT_THAT(list.exchange.body, EndsWith("]}\n"));
  });
}

TEST_F(RouterTest, AWatchSendsItsHeadThenWhatIsThereThenWhatComes) {
  RunOn(worker_, [&]() -> Async<void> {
    Running watch(worker_, Get("/api/v1/namespaces/default/pods?watch=1&resourceVersion=0"));
    Begin(watch);
    co_await UntilBody(watch.exchange, "secret-of-a");
    EXPECT_EQ(watch.exchange.status(), 200);
    EXPECT_EQ(watch.exchange.head->body.kind, http::BodyFraming::Kind::kChunked);
    log_.Put("default/new").Put("other/new");
    Publish();
    co_await UntilBody(watch.exchange, R"("name":"new","namespace":"default")");
    EXPECT_THAT(watch.exchange.body, Not(HasSubstr("\"other\"")));
    EXPECT_FALSE(watch.over);
    watch.exchange.Leave();
    co_await watch.ended.Wait();
    EXPECT_EQ(replica_->watcher_count(), 0u);
    EXPECT_TRUE(service_.watches.empty());
  });
}

TEST_F(RouterTest, AWatchEndsCleanlyAtItsTimeout) {
  RunOn(worker_, [&]() -> Async<void> {
    Running watch(worker_, Get("/api/v1/pods?watch=1&resourceVersion=0&timeoutSeconds=1"));
    const TimePoint began = worker_.Now();
    Begin(watch);
    co_await watch.ended.Wait();
    EXPECT_GE(worker_.Now() - began, seconds(1));
    EXPECT_TRUE(watch.exchange.finished);
    EXPECT_FALSE(watch.exchange.aborted);
    EXPECT_THAT(watch.exchange.body, Not(HasSubstr("ERROR")));
  });
}

TEST_F(RouterTest, AWatchsTimeRunsSinceItWasAskedForButItsStateComes) {
  proofs_->answer = std::nullopt;
  RunOn(worker_, [&]() -> Async<void> {
    Running watch(worker_, Get("/api/v1/pods?watch=1&timeoutSeconds=1"));
    const TimePoint began = worker_.Now();
    Begin(watch);
    Signal pause(worker_);
    co_await pause.Wait(worker_.Now() + milliseconds(1200));
    EXPECT_EQ(proofs_->waiting.size(), 1u);
    std::exchange(proofs_->waiting, {}).front()(true);
    co_await watch.ended.Wait();
    EXPECT_LT(worker_.Now() - began, milliseconds(1900))
        << "no second on top of what the proof took";
    EXPECT_TRUE(watch.exchange.finished);
    EXPECT_THAT(watch.exchange.body, HasSubstr("secret-of-a"));
  });
}

TEST_F(RouterTest, RequestsInFlightAreCountedButNotWatches) {
  RunOn(worker_, [&]() -> Async<void> {
    const int64_t before = ProcessMetrics().requests_in_flight.value();
    Running watch(worker_, Get("/api/v1/pods?watch=1&resourceVersion=0"));
    Begin(watch);
    co_await UntilBody(watch.exchange, "secret-of-a");
    EXPECT_EQ(ProcessMetrics().requests_in_flight.value(), before);
    proofs_->answer = std::nullopt;
    Running list(worker_, Get("/api/v1/pods"));
    Begin(list);
    Signal pause(worker_);
    while (proofs_->waiting.empty()) co_await pause.Wait(worker_.Now() + milliseconds(5));
    EXPECT_EQ(ProcessMetrics().requests_in_flight.value(), before + 1);
    std::exchange(proofs_->waiting, {}).front()(true);
    co_await list.ended.Wait();
    watch.exchange.Leave();
    co_await watch.ended.Wait();
    EXPECT_EQ(ProcessMetrics().requests_in_flight.value(), before);
  });
}

TEST_F(RouterTest, AWatchEndsCleanlyWhenItsTokenExpiresOrHasExpired) {
  for (const milliseconds left : {milliseconds(30), milliseconds(-5000)}) {
    auto identity = std::make_shared<Identity>(*authenticator_.result.identity);
    identity->expires = std::chrono::system_clock::now() + left;
    authenticator_.result.identity = identity;
    const auto watch = HandleGet("/api/v1/pods?watch=1&resourceVersion=0");
    EXPECT_EQ(watch->status(), 200);
    EXPECT_TRUE(watch->finished);
    EXPECT_THAT(watch->body, Not(HasSubstr("ERROR")));
  }
}

TEST_F(RouterTest, ATokenThatOutlivesAllClocksIsNoShorterWatch) {
  auto identity = std::make_shared<Identity>(*authenticator_.result.identity);
  identity->expires =
      std::chrono::system_clock::time_point::max() - std::chrono::system_clock::duration(1);
  authenticator_.result.identity = identity;
  RunOn(worker_, [&]() -> Async<void> {
    Running watch(worker_, Get("/api/v1/pods?watch=1&resourceVersion=0"));
    Begin(watch);
    co_await UntilBody(watch.exchange, "secret-of-a");
    EXPECT_FALSE(watch.over);
    watch.exchange.Leave();
    co_await watch.ended.Wait();
  });
}

TEST_F(RouterTest, ARunningWatchIsAuthorisedAnewAndEndsCleanlyOnARefusal) {
  config_.watch_reauthorize_interval = milliseconds(5);
  RunOn(worker_, [&]() -> Async<void> {
    Running watch(worker_, Get("/api/v1/pods?watch=1&resourceVersion=0"));
    Begin(watch);
    Signal pause(worker_);
    while (authorizer_.asked.size() < 3) co_await pause.Wait(worker_.Now() + milliseconds(1));
    EXPECT_FALSE(watch.over);
    EXPECT_EQ(authorizer_.asked.back().verb, "watch");
    EXPECT_GE(watch.exchange.rechecks, 2u) << "another CA bundle ends a certificate's watch";
    authorizer_.kind = Verdict::Kind::kUnavailable;  // A check that cannot be made is no refusal.
    const size_t before = authorizer_.asked.size();
    while (authorizer_.asked.size() < before + 2)
      co_await pause.Wait(worker_.Now() + milliseconds(1));
    EXPECT_FALSE(watch.over);
    authorizer_.kind = Verdict::Kind::kDenied;
    co_await watch.ended.Wait();
    EXPECT_TRUE(watch.exchange.finished);
    EXPECT_FALSE(watch.exchange.aborted);
    EXPECT_THAT(watch.exchange.body, Not(HasSubstr("ERROR")));
  });
}

TEST_F(RouterTest, ARunningWatchEndsWhenItsUserIsNoLongerTheSame) {
  config_.watch_reauthorize_interval = milliseconds(5);
  RunOn(worker_, [&]() -> Async<void> {
    Running watch(worker_, Get("/api/v1/pods?watch=1&resourceVersion=0"));
    Begin(watch);
    co_await UntilBody(watch.exchange, "secret-of-a");
    auto other = std::make_shared<Identity>(*authenticator_.result.identity);
    other->name = "mallory";
    authenticator_.result.identity = other;
    co_await watch.ended.Wait();
    EXPECT_TRUE(watch.exchange.finished);
  });
}

TEST_F(RouterTest, ASlowWatcherIsParkedAndCatchesUpFromTheLog) {
  RunOn(worker_, [&]() -> Async<void> {
    Running watch(worker_, Get("/api/v1/pods?watch=1&resourceVersion=0"));
    watch.exchange.block_writes = true;
    Begin(watch);
    co_await UntilBody(watch.exchange, "secret-of-a");
    EXPECT_TRUE(watch.exchange.blocked);
    const size_t written = watch.exchange.writes.size();
    for (int i = 0; i < 50; ++i) {
      log_.Put("default/p" + std::to_string(i));
      Publish();
    }
    Signal pause(worker_);
    co_await pause.Wait(worker_.Now() + milliseconds(5));
    EXPECT_EQ(watch.exchange.writes.size(), written) << "it holds nothing but a cursor";
    watch.exchange.Unblock();
    co_await UntilBody(watch.exchange, "\"p49\"");
    EXPECT_LT(watch.exchange.writes.size(), written + 5) << "and catches up in a few writes";
    watch.exchange.Leave();
    co_await watch.ended.Wait();
  });
}

TEST_F(RouterTest, AWatchThatFellBehindItsRevisionIsToldAndEnds) {
  const auto watch = HandleGet("/api/v1/pods?watch=1&resourceVersion=5");
  EXPECT_EQ(watch->status(), 200);
  EXPECT_THAT(watch->body, AllOf(HasSubstr(R"("type":"ERROR")"), HasSubstr("410")));
  EXPECT_TRUE(watch->finished);
}

TEST_F(RouterTest, AWatchThatFailsIsCutAlone) {
  RunOn(worker_, [&]() -> Async<void> {
    Running watch(worker_, Get("/api/v1/pods?watch=1&resourceVersion=0"));
    Running other(worker_, Get("/api/v1/pods?watch=1&resourceVersion=0"));
    watch.exchange.block_writes = true;
    Begin(watch);
    Begin(other);
    co_await UntilBody(watch.exchange, "secret-of-a");
    co_await UntilBody(other.exchange, "secret-of-a");
    watch.exchange.fails = true;
    watch.exchange.Unblock();
    co_await watch.ended.Wait();
    EXPECT_TRUE(watch.exchange.aborted);
    log_.Put("default/new");
    Publish();
    co_await UntilBody(other.exchange, R"("name":"new")");
    other.exchange.Leave();
    co_await other.ended.Wait();
    EXPECT_TRUE(service_.watches.empty());
  });
}

TEST_F(RouterTest, WatchesEndWhenTheProcessStops) {
  RunOn(worker_, [&]() -> Async<void> {
    Running watch(worker_, Get("/api/v1/pods?watch=1&resourceVersion=0"));
    Begin(watch);
    co_await UntilBody(watch.exchange, "secret-of-a");
    shared_.stopping = true;
    service_.watches.WakeAll();
    co_await watch.ended.Wait();
    EXPECT_TRUE(watch.exchange.finished);
  });
  EXPECT_EQ(shared_.requests.load(), 0);
}

}  // namespace
}  // namespace weir
