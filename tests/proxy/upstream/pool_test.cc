#include "proxy/upstream/pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/proxy/upstream/scripted_server.h"

namespace weir {
namespace {

using std::chrono::hours;
using ::testing::IsEmpty;

class PoolTest : public ::testing::Test {
 protected:
  PoolTest()
      : own_(server_.tls().ca().Issue({.subject = {{"CN", "weir"}}})),
        front_proxy_(server_.tls().ca().Issue({.subject = {{"CN", "front-proxy"}}})) {
    worker_.Start();
    server_.OnRequest([](const ScriptedServer::Request&) { return Answer200("ok"); });
  }
  ~PoolTest() override {
    CallOn(worker_, [this] { pool_->Close(); });
    worker_.Discard();
  }

  UpstreamConfig Settings(const TestCertificate& own) {
    UpstreamConfig config;
    config.servers = {server_.url()};
    config.ca_pem = server_.tls().ca().certificate().pem;
    config.client_cert_pem = own.pem;
    config.client_key_pem = own.key_pem;
    return config;
  }
  void Connect(std::vector<std::string> servers) {
    UpstreamConfig config = Settings(own_);
    config.servers = std::move(servers);
    pool_ = std::make_unique<UpstreamPool>(
        worker_, Upstream::Make(config, front_proxy_.pem, front_proxy_.key_pem).value());
  }

  Async<Status> Ask(CredentialClass credential, std::string method = "GET", bool release = true) {
    auto connection = co_await pool_->Acquire(credential, false);
    if (!connection.ok()) co_return connection.status();
    http::RequestHead head;
    head.method = method;
    head.target = "/x";
    WEIR_CO_TRY(co_await (*connection)->SendHead(std::move(head)));
    const auto answer = co_await (*connection)->ReadHead(method, hours(1));
    if (!answer.ok()) co_return answer.status();
    for (;;) {
      if ((*connection)->body_done()) break;
      const auto piece = co_await (*connection)->ReadBody();
      if (!piece.ok()) co_return piece.status();
      if (piece->empty()) break;
    }
    if (release) pool_->Release(std::move(*connection));
    co_return OkStatus();
  }
  // The endpoint of one more connection.
  Async<size_t> Take(std::vector<std::unique_ptr<UpstreamConnection>>& held) {
    auto connection = co_await pool_->Acquire(CredentialClass::kNone, false);
    held.push_back(std::move(connection).value());
    co_return held.back()->endpoint();
  }
  void AskNow(CredentialClass credential, std::string method = "GET") {
    RunOn(worker_, [&]() -> Async<void> {
      const Status status = co_await Ask(credential, method);
      EXPECT_TRUE(status.ok()) << status;
    });
  }
  // Until the client's side has seen what the server did to an idle connection.
  void WaitFor(const std::function<bool()>& condition) {
    while (!condition()) std::this_thread::yield();
  }

  ScriptedServer server_;
  TestCertificate own_, front_proxy_;
  Worker worker_{0};
  std::unique_ptr<UpstreamPool> pool_;
};

TEST_F(PoolTest, NoConnectionChangesItsCredentialClass) {
  Connect({server_.url()});
  for (int round = 0; round < 3; ++round) {
    AskNow(CredentialClass::kNone);
    AskNow(CredentialClass::kFrontProxy);
    AskNow(CredentialClass::kOwn);
  }
  const auto requests = server_.requests();
  ASSERT_EQ(requests.size(), 9u);
  EXPECT_EQ(server_.connections(), 3u) << "and each is used again";
  for (size_t i = 0; i < requests.size(); i += 3) {
    EXPECT_THAT(requests[i].certificates, IsEmpty());
    EXPECT_TRUE(requests[i + 1].certificates == std::vector<std::string>{front_proxy_.der});
    EXPECT_TRUE(requests[i + 2].certificates == std::vector<std::string>{own_.der});
  }
}

TEST_F(PoolTest, ReloadedCredentialsAreUsedFromTheNextRequestOn) {
  Connect({server_.url()});
  AskNow(CredentialClass::kOwn);
  Upstream& upstream = pool_->upstream();
  ASSERT_TRUE(upstream.Reload(Settings(own_), front_proxy_.pem, front_proxy_.key_pem).ok());
  AskNow(CredentialClass::kOwn);
  EXPECT_EQ(server_.connections(), 1u) << "nothing changed";
  const TestCertificate next = server_.tls().ca().Issue({.subject = {{"CN", "weir"}}});
  UpstreamConfig broken = Settings(next);
  broken.client_key_pem = own_.key_pem;
  EXPECT_FALSE(upstream.Reload(broken, front_proxy_.pem, front_proxy_.key_pem).ok());
  ASSERT_TRUE(upstream.Reload(Settings(next), front_proxy_.pem, front_proxy_.key_pem).ok());
  AskNow(CredentialClass::kOwn);
  EXPECT_TRUE(server_.requests().back().certificates == std::vector<std::string>{next.der});
}

TEST_F(PoolTest, AnAnswerWithoutABodyLeavesTheConnectionUsable) {
  Connect({server_.url()});
  server_.OnRequest([](const ScriptedServer::Request& request) {
    if (request.head.method == "HEAD") return "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    return "HTTP/1.1 204 No Content\r\n\r\n";
  });
  AskNow(CredentialClass::kNone, "HEAD");
  AskNow(CredentialClass::kNone, "DELETE");
  AskNow(CredentialClass::kNone, "HEAD");
  EXPECT_EQ(server_.connections(), 1u);
}

TEST_F(PoolTest, AnIdleConnectionThatDiedIsNotHandedOut) {
  Connect({server_.url()});
  AskNow(CredentialClass::kNone);
  server_.Cut(0);
  WaitFor([&] { return server_.open_connections() == 0; });
  AskNow(CredentialClass::kNone);
  EXPECT_EQ(server_.connections(), 2u);
}

TEST_F(PoolTest, AConnectionThatSpeaksUnaskedIsNotHandedOut) {
  Connect({server_.url()});
  AskNow(CredentialClass::kNone);
  // Sent, and so readable on the loopback, before the call returns.
  server_.Send(0, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
  AskNow(CredentialClass::kNone);
  EXPECT_EQ(server_.connections(), 2u);
}

TEST_F(PoolTest, WhatIsNotThroughIsNotKept) {
  Connect({server_.url()});
  server_.OnRequest([](const ScriptedServer::Request&) {
    return "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
  });
  AskNow(CredentialClass::kNone);
  RunOn(worker_, [&]() -> Async<void> {
    auto connection = (co_await pool_->Acquire(CredentialClass::kNone, false)).value();
    http::RequestHead head;
    head.method = "GET";
    head.target = "/x";
    EXPECT_TRUE((co_await connection->SendHead(std::move(head))).ok());
    EXPECT_FALSE(connection->reusable()) << "not answered yet";
    pool_->Release(std::move(connection));
  });
  AskNow(CredentialClass::kNone);
  EXPECT_EQ(server_.connections(), 3u);
}

TEST_F(PoolTest, AfterCloseNothingIsKept) {
  Connect({server_.url()});
  AskNow(CredentialClass::kNone);
  CallOn(worker_, [&] { pool_->Close(); });
  AskNow(CredentialClass::kNone);
  AskNow(CredentialClass::kNone);
  EXPECT_EQ(server_.connections(), 3u);
}

TEST_F(PoolTest, TheOtherEndpointIsTriedWhereOneCannotBeReached) {
  // A port that was free a moment ago.
  uint16_t closed = 0;
  {
    Worker idle(9);
    closed = Listener::Open(idle, "127.0.0.1", 0).value()->port();
  }
  const std::string dead = "https://127.0.0.1:" + std::to_string(closed);
  Connect({dead, server_.url(), dead});
  RunOn(worker_, [&]() -> Async<void> {
    for (int i = 0; i < 6; ++i) {
      const Status status = co_await Ask(CredentialClass::kNone, "GET", false);
      EXPECT_TRUE(status.ok()) << status;
    }
  });
  EXPECT_EQ(server_.connections(), 6u);
  EXPECT_EQ(pool_->upstream().Unreachable(), "");
}

TEST_F(PoolTest, RequestsGoWhereTheFewestAreUnderWay) {
  ScriptedServer other;
  other.OnRequest([](const ScriptedServer::Request&) { return Answer200("ok"); });
  UpstreamConfig config = Settings(own_);
  config.servers = {server_.url(), other.url()};
  config.insecure_skip_tls_verify = true;
  pool_ = std::make_unique<UpstreamPool>(
      worker_, Upstream::Make(config, front_proxy_.pem, front_proxy_.key_pem).value());
  RunOn(worker_, [&]() -> Async<void> {
    std::vector<std::unique_ptr<UpstreamConnection>> held;
    const size_t first = co_await Take(held);
    for (int i = 0; i < 3; ++i) {
      const size_t here = co_await Take(held);
      EXPECT_EQ(here, 1 - first);
      held.pop_back();
    }
    for (int i = 0; i < 3; ++i) static_cast<void>(co_await Take(held));
    EXPECT_EQ(pool_->upstream().endpoints().requests(0), 2);
    EXPECT_EQ(pool_->upstream().endpoints().requests(1), 2);
  });
  EXPECT_EQ(pool_->upstream().endpoints().requests(0), 0);
  EXPECT_EQ(pool_->upstream().endpoints().requests(1), 0);
}

TEST_F(PoolTest, NoEndpointIsUnavailableAndSaysWhy) {
  uint16_t closed = 0;
  {
    Worker idle(9);
    closed = Listener::Open(idle, "127.0.0.1", 0).value()->port();
  }
  Connect({"https://127.0.0.1:" + std::to_string(closed)});
  RunOn(worker_, [&]() -> Async<void> {
    const Status status = co_await Ask(CredentialClass::kNone);
    EXPECT_TRUE(absl::IsUnavailable(status));
    EXPECT_THAT(std::string(Message(status)), ::testing::HasSubstr(std::to_string(closed)));
  });
  EXPECT_NE(pool_->upstream().Unreachable(), "");
}

TEST_F(PoolTest, TheRequestSaysWhereItGoes) {
  Connect({server_.url() + "/prefix"});
  AskNow(CredentialClass::kNone);
  const auto requests = server_.requests();
  EXPECT_EQ(requests.at(0).head.target, "/prefix/x");
  EXPECT_EQ(*requests.at(0).head.headers.First("Host"),
            "127.0.0.1:" + std::to_string(server_.port()));
}

TEST_F(PoolTest, ACredentialThatIsRefusedForLongIsSaid) {
  Connect({server_.url()});
  Upstream& upstream = pool_->upstream();
  using Own = Upstream::Own;
  upstream.ReportAnswer(Own::kRead, 403);
  upstream.ReportAnswer(Own::kReview, 500);
  EXPECT_EQ(upstream.Refused(Duration(0)), "");
  upstream.ReportAnswer(Own::kRead, 401);
  EXPECT_EQ(upstream.Refused(), "") << "not yet";
  EXPECT_THAT(upstream.Refused(Duration(0)), ::testing::HasSubstr("credential"));
  upstream.ReportAnswer(Own::kRead, 200);
  upstream.ReportAnswer(Own::kReview, 403);
  EXPECT_THAT(upstream.Refused(Duration(0)), ::testing::HasSubstr("system:auth-delegator"));
  upstream.ReportAnswer(Own::kRead, 401);
  upstream.ReportAnswer(Own::kReview, 201);
  EXPECT_NE(upstream.Refused(Duration(0)), "");
}

}  // namespace
}  // namespace weir
