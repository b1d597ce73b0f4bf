// HTTP/2 connections to the API server: who shares them, when they are replaced, how they end.
#include "proxy/upstream/http2_pool.h"

#include <set>

#include "tests/proxy/upstream/http2_upstream_fixture.h"
#include "tests/proxy/upstream/scripted_server.h"

namespace weir {
namespace {

using ::testing::IsEmpty;
using Peer = Http2Peer;
using std::chrono::milliseconds;

class Http2PoolTest : public Http2UpstreamTest {
 protected:
  void AnswerAll() {
    peer_.OnRequest([this](const Peer::Request& r) { peer_.Answer(r, 200, "ok"); });
  }
  // Begun in one turn.
  std::vector<Exchange> BeginMany(size_t count) {
    std::vector<Exchange> all(count);
    size_t begun = 0;
    Peek([&] {
      for (size_t i = 0; i < count; ++i)
        worker_.Spawn([](UpstreamPool* pool, Exchange* to, size_t* done) -> Async<void> {
          UpstreamPool::Wanted wanted = Over2();
          auto exchange = co_await pool->Begin(wanted);
          EXPECT_TRUE(exchange.ok()) << exchange.status();
          if (exchange.ok()) {
            *to = *std::move(exchange);
            http::RequestHead head = Request("GET");
            EXPECT_TRUE((co_await (*to)->SendHead(std::move(head))).ok());
          }
          ++*done;
        }(pool_.get(), &all[i], &begun));
    });
    Peer::WaitUntil([&] {
      size_t now = 0;
      Peek([&] { now = begun; });
      return now == count;
    });
    return all;
  }
  void EndAll(std::vector<Exchange>& all) {
    Peek([&] { all.clear(); });
  }
};

TEST_F(Http2PoolTest, RequestsShareAConnectionUpToItsBound) {
  Connect();
  std::vector<Exchange> all = BeginMany(250);
  Peer::WaitUntil([&] { return peer_.requests().size() == 250; });
  EXPECT_EQ(peer_.connections(), 3u);
  EXPECT_EQ(ProcessMetrics().upstream_http2_streams.value(), 250);
  EXPECT_EQ(upstream_->endpoints().requests(0), 250);
  EndAll(all);
  EXPECT_EQ(upstream_->endpoints().requests(0), 0);
}

TEST_F(Http2PoolTest, ThePeersOwnBoundCounts) {
  Connect();
  peer_.settings = Setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 4);
  std::vector<Exchange> all = BeginMany(10);
  Peer::WaitUntil([&] { return peer_.requests().size() == 10; });
  EXPECT_EQ(peer_.connections(), 3u);
  std::map<size_t, int> streams;
  for (const auto& request : peer_.requests()) EXPECT_LE(++streams[request.connection], 4);
  EndAll(all);
}

TEST_F(Http2PoolTest, AConnectionThatLetsNobodyInIsNoConnection) {
  Connect();
  peer_.settings = Setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0);
  RunOn(worker_, [&]() -> Async<void> {
    const auto begun = co_await pool_->Begin(Over2());
    EXPECT_TRUE(absl::IsUnavailable(begun.status())) << begun.status();
  });
  EXPECT_LE(peer_.connections(), 8u);
}

TEST_F(Http2PoolTest, WhoLeavesKeepsAPlaceForASecond) {
  Connect();
  peer_.settings = Setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 2);
  std::vector<Exchange> all = BeginMany(2);
  EndAll(all);
  AnswerAll();
  EXPECT_EQ(Ask(Over2()).body, "ok");
  EXPECT_EQ(peer_.connections(), 2u) << "upstream may be busy with what was cancelled";
}

TEST_F(Http2PoolTest, CredentialClassesStayApart) {
  Connect();
  AnswerAll();
  for (int round = 0; round < 3; ++round) {
    for (const auto credential :
         {CredentialClass::kNone, CredentialClass::kFrontProxy, CredentialClass::kImpersonator})
      EXPECT_EQ(Ask(Over2(credential)).body, "ok");
  }
  const auto requests = peer_.requests();
  EXPECT_EQ(peer_.connections(), 3u) << "and each is shared";
  for (size_t i = 0; i < requests.size(); i += 3) {
    EXPECT_THAT(requests[i].certificates, IsEmpty());
    EXPECT_TRUE(requests[i + 1].certificates == std::vector<std::string>{front_proxy_.der});
    EXPECT_TRUE(requests[i + 2].certificates == std::vector<std::string>{own_.der});
  }
}

TEST_F(Http2PoolTest, AStormOfRubbishTokensHurtsNoneThatWasTaken) {
  Connect();
  // As kube-apiserver: GOAWAY, then the 401.
  peer_.OnRequest([this](const Peer::Request& r) {
    if (r["authorization"] == "Bearer good") return peer_.Answer(r, 200, "ok");
    peer_.GoAway(r.connection, r.stream);
    peer_.Answer(r, 401, "who");
  });
  const auto ask = [this](const std::string& token) {
    http::RequestHead head = Request("GET");
    head.headers.Add("Authorization", "Bearer " + token);
    return Ask(Bearing(token), std::move(head)).head.status;
  };
  EXPECT_EQ(ask("good"), 200);
  EXPECT_EQ(ask("good"), 200);
  std::set<size_t> used;
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(ask("rubbish-" + std::to_string(i)), 401);
    EXPECT_EQ(ask("good"), 200);
    used.insert(peer_.requests().back().connection);
  }
  EXPECT_EQ(used.size(), 1u) << "one connection for the good ones";
}

TEST_F(Http2PoolTest, GoAwayLetsFinishWhatItCountsAndTheRestIsUntouched) {
  Connect();
  Exchange early = Begin();
  const Peer::Request first = peer_.Await(0);
  Exchange late = Begin(Over2(), Request("POST"));
  peer_.Await(1);
  peer_.GoAway(0, first.stream);
  RunOn(worker_, [&]() -> Async<void> {
    const auto head = co_await late->ReadHead("POST", std::chrono::hours(1));
    EXPECT_TRUE(absl::IsUnavailable(head.status())) << head.status();
    EXPECT_TRUE(late->unprocessed());
    EXPECT_FALSE(late->abandoned());
  });
  Exchange next = Begin();
  EXPECT_EQ(peer_.Await(2).connection, 1u) << "nothing new on the old one";
  peer_.Answer(first, 200, "in the end");
  EXPECT_EQ(Read(early).body, "in the end");
  End(std::move(early));
  End(std::move(late));
  Peer::WaitUntil([&] { return peer_.open_connections() == 1; });
  End(std::move(next));
}

TEST_F(Http2PoolTest, ARefusedStreamIsUntouched) {
  Connect();
  Exchange refused = Begin(Over2(), Request("POST"));
  peer_.Reset(peer_.Await(0), NGHTTP2_REFUSED_STREAM);
  const Got got = Read(refused, "POST");
  EXPECT_TRUE(absl::IsUnavailable(got.status)) << got.status;
  Peek([&] { EXPECT_TRUE(refused->unprocessed()); });
  End(std::move(refused));
  Exchange reset = Begin(Over2(), Request("POST"));
  peer_.Reset(peer_.Await(1), NGHTTP2_CANCEL);
  EXPECT_FALSE(Read(reset, "POST").status.ok());
  Peek([&] { EXPECT_FALSE(reset->unprocessed()) << "it may have done something"; });
  End(std::move(reset));
}

TEST_F(Http2PoolTest, ALostConnectionEndsItsStreams) {
  Connect();
  Exchange first = Begin();
  peer_.Await(0);
  peer_.Cut(0);
  EXPECT_TRUE(absl::IsUnavailable(Read(first).status));
  Peek([&] { EXPECT_FALSE(first->was_kept()) << "nothing was ever answered on it"; });
  End(std::move(first));
  AnswerAll();
  EXPECT_EQ(Ask(Over2()).body, "ok");
  peer_.OnRequest({});
  Exchange kept = Begin();
  peer_.Await(2);
  peer_.Cut(1);
  EXPECT_TRUE(absl::IsUnavailable(Read(kept).status));
  Peek([&] {
    EXPECT_TRUE(kept->was_kept());
    EXPECT_FALSE(kept->unprocessed());
  });
  End(std::move(kept));
  AnswerAll();
  EXPECT_EQ(Ask(Over2()).body, "ok");
  EXPECT_EQ(peer_.connections(), 3u);
}

TEST_F(Http2PoolTest, ASilentConnectionIsAskedAndLost) {
  Http2Pool::Options options;
  options.session.ping_after = milliseconds(50);
  options.session.ping_timeout = milliseconds(1000);
  Connect({}, options);
  Exchange quiet = Begin();
  const Peer::Request request = peer_.Await(0);
  Peer::WaitUntil([&] { return peer_.pings() >= 3; });
  peer_.Answer(request, 200, "alive");
  EXPECT_EQ(Read(quiet).body, "alive");
  End(std::move(quiet));

  peer_.answers_pings = false;
  Exchange silent = Begin();
  const Got got = Read(silent);
  EXPECT_TRUE(absl::IsUnavailable(got.status)) << got.status;
  Peek([&] { EXPECT_TRUE(silent->was_kept()); });
  End(std::move(silent));
}

TEST_F(Http2PoolTest, FloodsOfNothingEndTheConnection) {
  Connect();
  const std::vector<std::string> floods = {FrameBytes(NGHTTP2_PING, 0, 0, "12345678"),
                                           FrameBytes(NGHTTP2_SETTINGS, 0, 0, ""),
                                           FrameBytes(NGHTTP2_DATA, 0, 1, "")};
  for (size_t i = 0; i < floods.size(); ++i) {
    Exchange exchange = Begin();
    const Peer::Request request = peer_.Await(i);
    peer_.Head(request, 200);
    std::string many;
    for (int n = 0; n < 5000; ++n) many += floods[i];
    peer_.SendBytes(i, many);
    EXPECT_FALSE(Read(exchange).status.ok()) << i;
    End(std::move(exchange));
  }
}

TEST_F(Http2PoolTest, WhatIsNoHttp2EndsTheConnection) {
  Connect();
  for (const std::string& bytes :
       {FrameBytes(NGHTTP2_DATA, 0, 0, "x"),
        FrameBytes(NGHTTP2_HEADERS, 4, 1, "\xff\xff\xff\xff\xff"),
        FrameBytes(NGHTTP2_PUSH_PROMISE, 4, 1, Number32(2)), std::string(100, '\xee'),
        FrameBytes(NGHTTP2_WINDOW_UPDATE, 0, 0, Number32(0))}) {
    const size_t connection = peer_.connections();
    Exchange exchange = Begin();
    Peer::WaitUntil([&] { return peer_.connections() == connection + 1; });
    peer_.Await(connection);
    peer_.SendBytes(connection, bytes);
    const Got got = Read(exchange);
    EXPECT_FALSE(got.status.ok());
    End(std::move(exchange));
  }
}

TEST_F(Http2PoolTest, NewCredentialsAreUsedAtOnceAndOldStreamsGoOn) {
  Connect();
  Exchange old = Begin(Over2(CredentialClass::kImpersonator));
  const Peer::Request first = peer_.Await(0);
  const TestCertificate next = peer_.tls().ca().Issue({.subject = {{"CN", "weir"}}});
  ASSERT_TRUE(upstream_->Reload(Settings(next), front_proxy_.pem, front_proxy_.key_pem).ok());
  Exchange fresh = Begin(Over2(CredentialClass::kImpersonator));
  EXPECT_TRUE(peer_.Await(1).certificates == std::vector<std::string>{next.der});
  peer_.Answer(first, 200, "ok");
  EXPECT_EQ(Read(old).body, "ok");
  End(std::move(old));
  Peer::WaitUntil([&] { return peer_.open_connections() == 1; });
  End(std::move(fresh));
}

TEST_F(Http2PoolTest, IdleConnectionsAreClosed) {
  Http2Pool::Options options;
  options.session.idle = milliseconds(50);
  Connect({}, options);
  Exchange exchange = Begin();
  const Peer::Request request = peer_.Await(0);
  std::this_thread::sleep_for(milliseconds(150));
  EXPECT_EQ(peer_.open_connections(), 1u) << "it is not idle";
  peer_.Answer(request, 200, "ok");
  EXPECT_EQ(Read(exchange).body, "ok");
  End(std::move(exchange));
  Peer::WaitUntil([&] { return peer_.open_connections() == 0; });
}

TEST_F(Http2PoolTest, ADeadApiServersStreamsAreAbandoned) {
  Peer other;
  Connect({peer_.url(), other.url()});
  Exchange exchange = Begin();
  const bool here = peer_.connections() == 1;
  upstream_->endpoints().SetHealth(here ? 0 : 1, Endpoints::Health::kDead);
  const Got got = Read(exchange);
  EXPECT_TRUE(absl::IsUnavailable(got.status)) << got.status;
  Peek([&] { EXPECT_TRUE(exchange->abandoned()); });
  End(std::move(exchange));
  Exchange next = Begin();
  (here ? other : peer_).Await(0);
  End(std::move(next));
}

TEST_F(Http2PoolTest, StreamsGoWhereTheFewestRequestsAre) {
  Peer other;
  Connect({peer_.url(), other.url()});
  std::vector<Exchange> all = BeginMany(20);
  Peer::WaitUntil([&] { return peer_.requests().size() + other.requests().size() == 20; });
  EXPECT_EQ(peer_.requests().size(), 10u);
  EXPECT_EQ(peer_.connections() + other.connections(), 2u);
  EndAll(all);
}

TEST_F(Http2PoolTest, OneThatChoosesHttp1IsSpokenToInHttp1) {
  ScriptedServer plain;
  plain.OnRequest([](const ScriptedServer::Request&) { return Answer200("one"); });
  UpstreamConfig config = Settings(own_);
  config.servers = {plain.url()};
  config.insecure_skip_tls_verify = true;
  upstream_ = Upstream::Make(config, front_proxy_.pem, front_proxy_.key_pem).value();
  Http2Pool::Options options;
  options.http1_for = milliseconds(300);
  pool_ = std::make_unique<UpstreamPool>(worker_, upstream_, options);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Ask(Over2()).body, "one");
  EXPECT_EQ(plain.connections(), 1u) << "kept, as without HTTP/2";
  std::this_thread::sleep_for(milliseconds(400));
  EXPECT_EQ(Ask(Over2()).body, "one");
  EXPECT_EQ(plain.connections(), 2u) << "asked again";
  std::vector<Exchange> all = BeginMany(5);
  EndAll(all);
}

TEST_F(Http2PoolTest, OneWhoIsAloneSharesWithNobody) {
  Connect();
  UpstreamPool::Wanted alone = Over2();
  alone.alone = true;
  Exchange exchange = Begin(alone);
  const Peer::Request first = peer_.Await(0);
  Exchange other = Begin();
  EXPECT_EQ(peer_.Await(1).connection, 1u);
  peer_.Answer(first, 200, "ok");
  EXPECT_EQ(Read(exchange).body, "ok");
  End(std::move(exchange));
  Peer::WaitUntil([&] { return peer_.open_connections() == 1; });
  End(std::move(other));
}

TEST_F(Http2PoolTest, AfterCloseNothingIsKept) {
  Connect();
  AnswerAll();
  EXPECT_EQ(Ask(Over2()).body, "ok");
  Peek([&] { pool_->Close(); });
  Peer::WaitUntil([&] { return peer_.open_connections() == 0; });
  EXPECT_EQ(Ask(Over2()).body, "ok");
  Peer::WaitUntil([&] { return peer_.open_connections() == 0; });
}

TEST_F(Http2PoolTest, ASilentHandshakeIsAFailure) {
  Connect({"https://127.0.0.1:1"});
  RunOn(worker_, [&]() -> Async<void> {
    const auto begun = co_await pool_->Begin(Over2());
    EXPECT_TRUE(absl::IsUnavailable(begun.status())) << begun.status();
  });
  EXPECT_NE(upstream_->Unreachable(), "");
}

}  // namespace
}  // namespace weir
