// Upgraded connections, byte for byte: nothing flows before upstream has agreed, everything after.
#include "proxy/session/upgrade.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/proxy/session/connection_fixture.h"

namespace weir {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using Reply = ScriptedServer::Reply;
using After = ScriptedServer::After;

constexpr const char* kExec = "GET /api/v1/namespaces/a/pods/b/exec?command=sh";
constexpr const char* kWebSocket =
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a2V5\r\n\r\n";
constexpr const char* kAgreed =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: yes\r\n\r\n";

class UpgradeTest : public ConnectionTest {
 protected:
  void Agree(std::string answer = kAgreed) {
    api_server_.OnRequest(
        [answer](const ScriptedServer::Request&) { return Reply(answer, After::kSwitch); });
  }
  void Answer(std::string answer) {
    api_server_.OnRequest([answer](const ScriptedServer::Request&) { return Reply(answer); });
  }
  // Until the API server has got these bytes on that request's connection.
  void UntilUpstreamHas(const std::string& bytes, size_t request = 0) {
    WaitUntil([&] { return api_server_.requests().at(request).body == bytes; });
  }
  void UntilAsked() {
    WaitUntil([&] { return !api_server_.requests().empty(); });
  }
  // Both connections are gone, and nothing is counted any more.
  void ExpectBothClosed() {
    WaitUntil([&] { return api_server_.open_connections() == 0; });
    WaitUntil([&] { return shared_.connections.load() == 0; });
    ExpectAllOver();
    EXPECT_EQ(ProcessMetrics().open_tunnels.value(), 0);
  }
};

TEST_F(UpgradeTest, BytesFlowBothWaysOnceUpstreamAgreed) {
  Agree();
  Send(Line(kExec) + kWebSocket);
  EXPECT_EQ(ReadUntil("\r\n\r\n"),
            "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: yes\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  EXPECT_EQ(ProcessMetrics().open_tunnels.value(), 1);
  Send("ls\n");
  UntilUpstreamHas("ls\n");
  api_server_.Send(0, "file\n");
  EXPECT_EQ(ReadUntil("\n"), "file\n");
  Hang();
  ExpectBothClosed();
}

TEST_F(UpgradeTest, TheRequestAsksUpstreamUnderTheClientsIdentityAndAlone) {
  Get("/x");
  ReadUntil("from upstream");
  Agree();
  Send(Line("POST /api/v1/namespaces/a/pods/b/exec?command=sh") +
       "Connection: keep-alive, Upgrade\r\nUpgrade: spdy/3.1\r\nContent-Length: 0\r\n"
       "X-Stream-Protocol-Version: v4.channel.k8s.io\r\nX-Remote-User: root\r\n\r\n");
  WaitUntil([&] { return api_server_.requests().size() == 2; });
  const auto request = api_server_.requests()[1];
  EXPECT_EQ(request.connection, 1u) << "a connection of its own";
  EXPECT_EQ(request.head.method, "POST");
  EXPECT_EQ(*request.head.headers.First("Upgrade"), "SPDY/3.1");
  EXPECT_EQ(*request.head.headers.First("Connection"), "Upgrade");
  EXPECT_EQ(*request.head.headers.First("X-Stream-Protocol-Version"), "v4.channel.k8s.io");
  EXPECT_EQ(*request.head.headers.First("Authorization"), "Bearer alices-token");
  EXPECT_FALSE(request.head.headers.Has("X-Remote-User"));
  EXPECT_THAT(ReadUntil("}\n"), StartsWith("HTTP/1.1 502 ")) << "it agreed to another protocol";
}

TEST_F(UpgradeTest, ATokenAmongTheSubprotocolsGoesOnAsAHeaderAlone) {
  const std::string token = "base64url.bearer.authorization.k8s.io.YWxpY2VzLXRva2Vu";
  Send(Line(kExec) + "Sec-WebSocket-Protocol: " + token +
       ", v5.channel.k8s.io, v4.channel.k8s.io\r\n" + "Sec-WebSocket-Protocol: " + token + "\r\n" +
       kWebSocket);
  UntilAsked();
  const auto request = api_server_.requests()[0];
  EXPECT_EQ(request.head.headers.Count("Sec-WebSocket-Protocol"), 1u);
  EXPECT_EQ(*request.head.headers.First("Sec-WebSocket-Protocol"),
            "v5.channel.k8s.io, v4.channel.k8s.io");
  EXPECT_EQ(*request.head.headers.First("Authorization"), "Bearer alices-token");
}

TEST_F(UpgradeTest, NoByteOfTheClientsGoesUpBeforeTheAnswer) {
  api_server_.OnRequest([](const ScriptedServer::Request&) { return Reply("", After::kSwitch); });
  Send(Line(kExec) + kWebSocket + "optimistic");
  UntilAsked();
  Send(" bytes");
  // They came: Weir has taken them in, and still upstream has none.
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(api_server_.requests()[0].body, "");
  api_server_.Send(0, std::string(kAgreed) + "and first words");
  UntilUpstreamHas("optimistic bytes");
  ReadUntil("\r\n\r\n");
  EXPECT_EQ(ReadUntil("words"), "and first words");
  Hang();
  ExpectBothClosed();
}

TEST_F(UpgradeTest, ARefusalIsRelayedAndBothConnectionsAreClosed) {
  // CVE-2018-1002105: what follows a refused upgrade must never reach upstream.
  const std::string smuggled = Line("GET /api/v1/secrets") + "\r\n";
  for (const std::string answer :
       {"HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\nnotyou",
        "HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nnotyou\r\n0\r\n\r\n",
        "HTTP/1.1 500 Internal Server Error\r\n\r\nnotyou",
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nnotyou"}) {
    const bool until_close = answer.find("\r\n\r\nnotyou") != std::string::npos &&
                             answer.find("Content-Length") == std::string::npos;
    const size_t before = api_server_.requests().size();
    api_server_.OnRequest([=](const ScriptedServer::Request&) {
      return Reply(answer, until_close ? After::kClose : After::kKeep);
    });
    Send(Line(kExec) + kWebSocket + smuggled);
    if (!until_close) {
      bool clean = false;
      const std::string relayed = ReadToEnd(&clean);
      EXPECT_THAT(relayed, AllOf(StartsWith(answer.substr(0, 12)), HasSubstr("notyou"),
                                 HasSubstr("Connection: close\r\n"), Not(HasSubstr("Upgrade"))));
      EXPECT_TRUE(clean);
    }
    // A client that leaves before would be the end of it.
    WaitUntil([&] { return api_server_.requests().size() > before; });
    Hang();
    ExpectBothClosed();
    EXPECT_EQ(api_server_.requests().size(), before + 1) << answer;
  }
}

TEST_F(UpgradeTest, OddAnswersAreBadGatewaysAndBothConnectionsAreClosed) {
  for (const char* answer :
       {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\nConnection: Upgrade\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: https://169.254.169.254/\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
        "rubbish\r\n\r\n"}) {
    Answer(answer);
    Send(Line(kExec) + kWebSocket + "x");
    EXPECT_THAT(ReadToEnd(), AllOf(StartsWith("HTTP/1.1 502 "), HasSubstr("Connection: close\r\n"),
                                   Not(HasSubstr("Location"))))
        << answer;
    Hang();
    ExpectBothClosed();
  }
}

TEST_F(UpgradeTest, ARefusalOfOursClosesTheConnectionToo) {
  authenticator_.credentials.kind = Credentials::Kind::kRejected;
  Send(Line(kExec) + kWebSocket + Line("GET /x") + "\r\n");
  EXPECT_THAT(ReadToEnd(), AllOf(StartsWith("HTTP/1.1 401 "), HasSubstr("Connection: close\r\n")));
  EXPECT_THAT(UpstreamTargets(), IsEmpty());
}

TEST_F(UpgradeTest, AnUpgradeWithABodyIsRefused) {
  Send(Line("POST /api/v1/namespaces/a/pods/b/exec") +
       "Content-Length: 4\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\nbody");
  EXPECT_THAT(ReadToEnd(), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(UpstreamTargets(), IsEmpty());
}

TEST_F(UpgradeTest, OtherUpgradeTokensAreIgnored) {
  Send(Line("GET /x") + "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
  EXPECT_THAT(ReadUntil("from upstream"), Not(HasSubstr("Connection: close")));
  EXPECT_FALSE(api_server_.requests()[0].head.headers.Has("Upgrade"));
  EXPECT_FALSE(api_server_.requests()[0].head.headers.Has("Connection"));
}

TEST_F(UpgradeTest, AClientThatLeavesBeforeTheAnswerEndsTheRequestUpstream) {
  api_server_.OnRequest([](const ScriptedServer::Request&) { return Reply(); });
  Send(Line(kExec) + kWebSocket);
  UntilAsked();
  Hang();
  ExpectBothClosed();
}

TEST_F(UpgradeTest, UpstreamsEndIsTheClientsEnd) {
  Agree();
  Send(Line(kExec) + kWebSocket);
  ReadUntil("\r\n\r\n");
  api_server_.Send(0, "exit 0");
  api_server_.Finish(0);
  bool clean = false;
  EXPECT_EQ(ReadToEnd(&clean), "exit 0");
  EXPECT_TRUE(clean);
  Hang();
  ExpectBothClosed();
}

TEST_F(UpgradeTest, AConnectionThatBreaksUpstreamBreaksTheClients) {
  Agree();
  Send(Line(kExec) + kWebSocket);
  ReadUntil("\r\n\r\n");
  api_server_.Cut(0);
  bool clean = true;
  EXPECT_EQ(ReadToEnd(&clean), "");
  EXPECT_FALSE(clean);
  ExpectBothClosed();
}

TEST_F(UpgradeTest, ASilentTunnelIsClosedAfterTheIdleTime) {
  config_.streaming_connection_idle_timeout = std::chrono::milliseconds(30);
  Agree();
  Send(Line(kExec) + kWebSocket);
  ReadUntil("\r\n\r\n");
  EXPECT_EQ(ReadToEnd(), "");
  Hang();
  ExpectBothClosed();
}

TEST_F(UpgradeTest, OnlyTheHandshakeOfAShortRequestTakesRoom) {
  config_.max_requests_inflight = 1;
  Agree();
  Send(Line("GET /apis/x/v1/upgradable") + kWebSocket);
  ReadUntil("\r\n\r\n");
  EXPECT_EQ(shared_.admission.forwards(), 0);
  EXPECT_EQ(shared_.admission.in_use(Admission::Pool::kForwardedStream), 1) << "a tunnel does";
  Answer(Answer200("from upstream"));
  EXPECT_EQ(HandleGet("/y")->status(), 200) << "there is room for others";
}

TEST_F(UpgradeTest, AShortRequestThatOnlySaysUpgradeIsLimitedAsOthers) {
  config_.max_requests_inflight = 0;
  Send(Line("GET /api/v1/secrets") + kWebSocket);
  EXPECT_THAT(ReadToEnd(), StartsWith("HTTP/1.1 429 "));
}

TEST_F(UpgradeTest, CertificateUsersUpgradeOnTheFrontProxysCredential) {
  authenticator_.credentials.kind = Credentials::Kind::kCertificate;
  authenticator_.credentials.identity = authenticator_.result.identity;
  Agree();
  Send(Line(kExec) + kWebSocket);
  ReadUntil("\r\n\r\n");
  const auto request = api_server_.requests()[0];
  EXPECT_EQ(request.certificates.size(), 1u);
  EXPECT_EQ(*request.head.headers.First("X-Remote-User"), "alice");
  EXPECT_FALSE(request.head.headers.Has("Authorization"));
}

}  // namespace
}  // namespace weir
