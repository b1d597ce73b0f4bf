// What happens at each limit on what a peer may send or hold: the peer gets the proper status, or
// is closed, and nobody else notices.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "proxy/admin/metrics.h"
#include "tests/proxy/session/connection_fixture.h"

namespace weir {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using namespace std::chrono_literals;

class LimitsTest : public ConnectionTest {
 protected:
  // Connections that say nothing at all, not even hello.
  ~LimitsTest() override {
    for (const int socket : silent_) ::close(socket);
  }
  void ConnectSilently(int count) {
    for (int i = 0; i < count; ++i) {
      const SocketPair sockets = ConnectedSockets();
      silent_.push_back(sockets.client);
      worker_.Post([this, sockets] {
        worker_.Spawn(ServeConnection(service_, sockets.server, api_server_.tls().server()));
      });
    }
    // All were accepted when this has run.
    CallOn(worker_, [] {});
  }
  size_t HandshakesUnderWay() {
    size_t count = 0;
    CallOn(worker_, [&] { count = service_.handshakes.in_flight(); });
    return count;
  }
  void ExpectServed() {
    Get("/x");
    EXPECT_THAT(ReadUntil("from upstream"), StartsWith("HTTP/1.1 200 "));
    Hang();
  }
  std::vector<int> silent_;
};

constexpr const char* kTooMany = "Too many requests, please try again later.\n";

TEST_F(LimitsTest, ARequestTooManyGetsUpstreams429AndTheConnectionGoesOn) {
  config_.max_cached_requests_inflight = 0;
  config_.max_watches = 0;
  config_.max_forwarded_streams = 0;
  for (const char* target :
       {"/api/v1/pods?resourceVersion=0", "/api/v1/namespaces/default/pods/a?resourceVersion=0",
        "/api/v1/pods?watch=1&resourceVersion=0", "/api/v1/namespaces/a/pods/b/log?follow=1"}) {
    Get(target);
    EXPECT_THAT(ReadUntil(kTooMany), AllOf(StartsWith("HTTP/1.1 429 Too Many Requests\r\n"),
                                           HasSubstr("Retry-After: 1\r\n"),
                                           HasSubstr("Content-Type: text/plain; charset=utf-8\r\n"),
                                           HasSubstr("X-Content-Type-Options: nosniff\r\n")));
  }
  EXPECT_THAT(UpstreamTargets(), IsEmpty());
  EXPECT_THAT(authorizer_.asked, IsEmpty()) << "it cost no review";
  ExpectServed();
}

TEST_F(LimitsTest, ReadsAndWritesThatAreForwardedHaveRoomOfTheirOwn) {
  config_.max_mutating_requests_inflight = 0;
  Send(Line("POST /x") + "Content-Length: 0\r\n\r\n");
  EXPECT_THAT(ReadUntil(kTooMany), StartsWith("HTTP/1.1 429 "));
  ExpectServed();
  config_.max_mutating_requests_inflight = 1;
  config_.max_requests_inflight = 0;
  Send(Line("POST /x") + "Content-Length: 0\r\n\r\n");
  EXPECT_THAT(ReadUntil("from upstream"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(LimitsTest, ProbesAreAnsweredWhateverElseIsUnderWay) {
  config_.max_requests_inflight = 0;
  for (const char* probe : {"/livez", "/readyz?verbose", "/healthz"}) {
    Get(probe);
    EXPECT_THAT(ReadUntil("from upstream"), StartsWith("HTTP/1.1 200 "));
  }
  Get("/livezz");
  EXPECT_THAT(ReadUntil(kTooMany), StartsWith("HTTP/1.1 429 "));
}

TEST_F(LimitsTest, SystemMastersAreNeverTurnedAway) {
  config_.max_cached_requests_inflight = 0;
  auto identity = std::make_shared<Identity>(*authenticator_.result.identity);
  identity->groups.push_back("system:masters");
  authenticator_.result.identity = identity;
  Get("/api/v1/pods?resourceVersion=0");
  EXPECT_THAT(ReadUntil("secret-of-a"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(LimitsTest, AWatchHoldsItsRoomUntilItsClientLeaves) {
  config_.max_watches = 1;
  Get("/api/v1/pods?watch=1&resourceVersion=0");
  ReadUntil("secret-of-a");
  EXPECT_EQ(HandleGet("/api/v1/pods?watch=1&resourceVersion=0")->status(), 429);
  Hang();
  ExpectAllOver();
  EXPECT_EQ(shared_.admission.in_use(Admission::Pool::kWatch), 0);
}

TEST_F(LimitsTest, AListThatWouldExceedTheBytesInFlightIsTurnedAway) {
  config_.max_bytes_inflight = 1 << 20;
  auto ticket = shared_.admission.Enter(Admission::Pool::kCached, Caller{});
  ASSERT_TRUE(ticket.has_value() && ticket->TakeBytes(1 << 20));
  EXPECT_EQ(HandleGet("/api/v1/pods?resourceVersion=0")->status(), 429);
  EXPECT_EQ(HandleGet("/api/v1/namespaces/default/pods/a?resourceVersion=0")->status(), 200);
  ticket->Leave();
  EXPECT_EQ(HandleGet("/api/v1/pods?resourceVersion=0")->status(), 200);
  EXPECT_EQ(shared_.admission.bytes(), 0u);
}

TEST_F(LimitsTest, ATargetOrAHeadThatIsTooLongGetsItsStatus) {
  config_.max_url_bytes = 1024;
  Get("/x?" + std::string(2000, 'a'));
  EXPECT_THAT(ReadToEnd(), StartsWith("HTTP/1.1 414 "));
  Hang();
  config_.max_header_fields = 40;
  std::string many;
  for (int i = 0; i < 50; ++i) many += "X-Any: a\r\n";
  Send(Line("GET /x") + many + "\r\n");
  EXPECT_THAT(ReadToEnd(), StartsWith("HTTP/1.1 431 "));
  Hang();
  ExpectServed();
}

TEST_F(LimitsTest, AHeadThatComesTooSlowlyEndsTheConnection) {
  config_.read_header_timeout = 50ms;
  Send("GET /x HTTP/1.1\r\n");
  EXPECT_EQ(ReadToEnd(), "");
  Hang();
  config_.read_header_timeout = 10s;
  ExpectServed();
}

TEST_F(LimitsTest, AFloodOfSilentConnectionsHoldsABoundedNumberOfHandshakesAndNobodyUp) {
  config_.max_handshakes_inflight = 8;
  const uint64_t before = ProcessMetrics().tls_handshakes_shed.value();
  ConnectSilently(200);
  WaitUntil([&] { return HandshakesUnderWay() <= 8; });
  EXPECT_EQ(ProcessMetrics().tls_handshakes_shed.value(), before + 192);
  WaitUntil([&] { return shared_.connections.load() == 8; });
  EXPECT_EQ(ProcessMetrics().tls_handshakes_in_flight.value(), 8);
  ExpectServed();
}

TEST_F(LimitsTest, ASilentConnectionIsClosedAtTheHandshakesTimeout) {
  config_.tls_handshake_timeout = 50ms;
  ConnectSilently(3);
  WaitUntil([&] { return shared_.connections.load() == 0; });
  EXPECT_EQ(HandshakesUnderWay(), 0u);
}

TEST_F(LimitsTest, HandshakesBeyondTheRateWaitAndFarBeyondItAreClosed) {
  config_.max_handshakes_per_second = 10;
  const uint64_t before = ProcessMetrics().tls_handshakes_shed.value();
  ConnectSilently(100);
  // A second's worth at once, and what can have its turn within five seconds.
  WaitUntil([&] { return shared_.connections.load() <= 61; });
  EXPECT_GE(ProcessMetrics().tls_handshakes_shed.value(), before + 38);
  EXPECT_LE(HandshakesUnderWay(), 12u);
  config_.max_handshakes_per_second = 0;
  ExpectServed();
}

TEST_F(LimitsTest, OneAddressGetsNoMoreConnectionsThanItMayHave) {
  config_.max_connections_per_address = 3;
  ConnectSilently(10);
  WaitUntil([&] { return shared_.connections.load() == 3; });
  EXPECT_EQ(shared_.admission.in_use(Admission::Pool::kAddressConnection), 3);
}

TEST_F(LimitsTest, OneCertificatesUserGetsItsShareOfTheConnections) {
  config_.max_connections = 4;
  config_.max_share_per_user = 50;
  authenticator_.verdict.kind = CertificateVerdict::Kind::kValid;
  authenticator_.verdict.identity = authenticator_.result.identity;
  // The certificates themselves do not matter: the fake knows who comes.
  auto first = shared_.admission.Enter(Admission::Pool::kUserConnection,
                                       Caller::Of(*authenticator_.result.identity));
  auto second = shared_.admission.Enter(Admission::Pool::kUserConnection,
                                        Caller::Of(*authenticator_.result.identity));
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_FALSE(
      shared_.admission
          .Enter(Admission::Pool::kUserConnection, Caller::Of(*authenticator_.result.identity))
          .has_value());
}

TEST_F(LimitsTest, AClientThatTakesNothingIsCutAndWhatWasHeldForItIsGone) {
  config_.write_stall_timeout = 100ms;
  const int64_t before = ProcessMetrics().unsent_bytes.value();
  api_server_.OnRequest(
      [](const ScriptedServer::Request&) { return Answer200(std::string(32 << 20, 'x')); });
  Get("/large");
  WaitUntil([&] { return ProcessMetrics().unsent_bytes.value() > before; });
  WaitUntil([&] { return shared_.requests.load() == 0; });
  Hang();
  WaitUntil([&] { return shared_.connections.load() == 0; });
  WaitUntil([&] { return api_server_.open_connections() == 0; });
  WaitUntil([&] { return ProcessMetrics().unsent_bytes.value() == before; });
}

}  // namespace
}  // namespace weir
