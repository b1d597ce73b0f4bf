// Requests of HTTP/2 clients, forwarded to an API server that speaks HTTP/2.
#include <gmock/gmock.h>

#include "proxy/admin/metrics.h"
#include "proxy/session/router.h"
#include "tests/proxy/session/session_fixture.h"
#include "tests/proxy/upstream/http2_peer.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using Peer = Http2Peer;

class ForwardHttp2Test : public SessionTest {
 protected:
  ForwardHttp2Test()
      : peer_upstream_(MakePeerUpstream()),
        peer_pool_(worker_, peer_upstream_),
        peer_service_{shared_, worker_, peer_pool_, reviews_} {}
  ~ForwardHttp2Test() override {
    CallOn(worker_, [this] { peer_pool_.Close(); });
    Peer::WaitUntil([] { return ProcessMetrics().upstream_http2_connections.value() == 0; });
  }
  std::shared_ptr<Upstream> MakePeerUpstream() {
    UpstreamConfig config;
    config.servers = {peer_.url()};
    config.ca_pem = peer_.tls().ca().certificate().pem;
    return Upstream::Make(config, "", "").value();
  }
  // What is not cached is forwarded.
  static http::RequestHead Post(size_t length) {
    http::RequestHead head = Get("/api/v1/namespaces/a/pods");
    head.method = "POST";
    head.body = {http::BodyFraming::Kind::kLength, length};
    return head;
  }
  std::unique_ptr<MemoryExchange> Make(http::RequestHead head,
                                       std::deque<std::string> pieces = {}) {
    auto exchange = std::make_unique<MemoryExchange>(worker_, std::move(head));
    exchange->over_http2 = true;
    exchange->pieces = std::move(pieces);
    return exchange;
  }
  std::unique_ptr<MemoryExchange> Forward(http::RequestHead head,
                                          std::deque<std::string> pieces = {}) {
    auto exchange = Make(std::move(head), std::move(pieces));
    RunOn(worker_, [&]() -> Async<void> { co_await HandleRequest(peer_service_, *exchange); });
    return exchange;
  }

  Peer peer_;
  std::shared_ptr<Upstream> peer_upstream_;
  UpstreamPool peer_pool_;
  Service peer_service_;
};

TEST_F(ForwardHttp2Test, ARequestGoesUpOverHttp2AsItsClientsDoes) {
  peer_.OnRequest([this](const Peer::Request& r) {
    peer_.Head(r, 103);
    peer_.Answer(r, 200, "from upstream", {{"x-a", "b"}});
  });
  const auto exchange = Forward(Get("/version?x=1"));
  EXPECT_EQ(exchange->status(), 200);
  EXPECT_EQ(exchange->body, "from upstream");
  EXPECT_TRUE(exchange->finished);
  EXPECT_THAT(exchange->informed, ElementsAre(103));
  const Peer::Request request = peer_.requests()[0];
  EXPECT_EQ(request[":path"], "/version?x=1");
  EXPECT_EQ(request["authorization"], "Bearer alices-token");
  EXPECT_EQ(request["x-forwarded-for"], "192.0.2.7");
}

TEST_F(ForwardHttp2Test, WhatUpstreamHasNotLookedAtIsSentAgainBodyAndAll) {
  peer_.OnRequest([this](const Peer::Request& r) {
    const size_t count = r.connection;
    if (count == 0) return peer_.GoAway(0, 0);
    if (count == 1) return peer_.Reset(r, NGHTTP2_REFUSED_STREAM);
    peer_.Answer(r, 201, "made");
  });
  const auto exchange = Forward(Post(10), {"hello", "world"});
  EXPECT_EQ(exchange->status(), 201);
  EXPECT_EQ(peer_.requests().back().body, "helloworld");
  EXPECT_EQ(peer_.connections(), 3u);
}

TEST_F(ForwardHttp2Test, WhoRefusesAlwaysIsUnavailable) {
  peer_.OnRequest([this](const Peer::Request& r) { peer_.Reset(r, NGHTTP2_REFUSED_STREAM); });
  const auto exchange = Forward(Post(5), {"hello"});
  EXPECT_EQ(exchange->status(), 503) << "it may be sent again by its client";
  EXPECT_EQ(peer_.requests().size(), 4u);
}

TEST_F(ForwardHttp2Test, AWriteThatMayHaveActedIsNotSentAgain) {
  peer_.OnRequest([this](const Peer::Request& r) { peer_.Reset(r, NGHTTP2_INTERNAL_ERROR); });
  EXPECT_EQ(Forward(Post(5), {"hello"})->status(), 502);
  EXPECT_EQ(Forward(Get("/version"))->status(), 503);
  peer_.OnRequest([this](const Peer::Request& r) { peer_.Answer(r, 200, "ok"); });
  EXPECT_EQ(Forward(Get("/version"))->status(), 200);
  const size_t before = peer_.requests().size();
  // Its connection has served others, and dies.
  peer_.OnRequest([this](const Peer::Request& r) { peer_.Cut(r.connection); });
  EXPECT_EQ(Forward(Post(5), {"hello"})->status(), 502);
  EXPECT_EQ(peer_.requests().size(), before + 1);
}

TEST_F(ForwardHttp2Test, AReadOnAKeptConnectionThatDiesIsAskedAgain) {
  peer_.OnRequest([this](const Peer::Request& r) {
    if (r.connection == 1 && r.stream > 1) return peer_.Cut(1);
    peer_.Answer(r, 200, "ok");
  });
  // The first one's token is new; from then on it shares the connections of those that were taken.
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Forward(Get("/version"))->status(), 200);
  EXPECT_EQ(peer_.requests().size(), 4u);
}

TEST_F(ForwardHttp2Test, AResetInMidAnswerBreaksTheClientsToo) {
  peer_.OnRequest([this](const Peer::Request& r) {
    peer_.Head(r, 200);
    peer_.Send(r, "half");
    peer_.Reset(r, NGHTTP2_INTERNAL_ERROR);
  });
  const auto exchange = Forward(Get("/version"));
  EXPECT_EQ(exchange->body, "half");
  EXPECT_TRUE(exchange->aborted);
  EXPECT_FALSE(exchange->finished);
}

TEST_F(ForwardHttp2Test, AClientThatLeavesCancelsItsStream) {
  const auto exchange = Make(Get("/api/v1/secrets?watch=1&drop=1"));
  worker_.Post([&] { worker_.Spawn(HandleRequest(peer_service_, *exchange)); });
  const Peer::Request request = peer_.Await(0);
  peer_.Head(request, 200);
  peer_.Send(request, "event\n");
  Peer::WaitUntil([&] {
    std::string body;
    CallOn(worker_, [&] { body = exchange->body; });
    return body == "event\n";
  });
  CallOn(worker_, [&] { exchange->Leave(); });
  Peer::WaitUntil([&] { return peer_.requests()[0].reset == NGHTTP2_CANCEL; });
  EXPECT_EQ(peer_.open_connections(), 1u);
  Peer::WaitUntil([&] { return shared_.requests.load() == 0; });
}

TEST_F(ForwardHttp2Test, AnHttp1ClientIsForwardedOverHttp1) {
  const auto exchange = Handle(Get("/version"));
  EXPECT_EQ(exchange->body, "from upstream");
  EXPECT_EQ(peer_.connections(), 0u);
}

}  // namespace
}  // namespace weir
