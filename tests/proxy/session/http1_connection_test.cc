// Clients' connections and what is forwarded over them, byte for byte, over real sockets.
#include "proxy/session/connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/proxy/session/connection_fixture.h"

namespace weir {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using Reply = ScriptedServer::Reply;
using After = ScriptedServer::After;
using Http1ConnectionTest = ConnectionTest;

TEST_F(Http1ConnectionTest, RequestsAreServedInOrderOnOneConnection) {
  Send(Line("GET /api/v1/namespaces/default/pods/a?resourceVersion=0") + "\r\n" + Line("POST /x") +
       "Content-Length: 5\r\n\r\nhello" + Line("GET /y") + "\r\n");
  EXPECT_THAT(ReadUntil("\"status\""),
              AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("Content-Length: ")));
  EXPECT_THAT(ReadUntil("from upstream"), HasSubstr("secret-of-a"));
  ReadUntil("from upstream");
  const auto requests = api_server_.requests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].body, "hello");
  EXPECT_EQ(requests[1].head.target, "/y");
  EXPECT_EQ(api_server_.connections(), 1u);
}

TEST_F(Http1ConnectionTest, AnAnswerToHeadHasNoBodyWhoeverGivesIt) {
  authenticator_.credentials.kind = Credentials::Kind::kRejected;
  Send(Line("HEAD /x") + "\r\n" + Line("HEAD /y") + "\r\n");
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(ReadUntil("\r\n\r\n"),
                AllOf(StartsWith("HTTP/1.1 401 Unauthorized\r\n"), HasSubstr("Content-Length: "),
                      Not(HasSubstr("Status"))));
  }
  EXPECT_EQ(received_, "");
  Hang();
  authenticator_.credentials.kind = Credentials::Kind::kToken;
  api_server_.OnRequest([](const ScriptedServer::Request& request) {
    return request.head.method == "HEAD" ? "HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n"
                                         : "HTTP/1.1 204 No Content\r\n\r\n";
  });
  Send(Line("HEAD /x") + "\r\n" + Line("DELETE /x") + "\r\n" + Line("HEAD /x") + "\r\n");
  EXPECT_THAT(ReadUntil("\r\n\r\n"), HasSubstr("Content-Length: 12345\r\n"));
  EXPECT_THAT(ReadUntil("\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 204 No Content\r\n"), Not(HasSubstr("Content-Length")),
                    Not(HasSubstr("Transfer-Encoding"))));
  EXPECT_THAT(ReadUntil("\r\n\r\n"), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_EQ(api_server_.connections(), 1u);
}

TEST_F(Http1ConnectionTest, OldClientsGetNoChunksNoInterimAnswersAndAnEnd) {
  api_server_.OnRequest([](const ScriptedServer::Request&) {
    return "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: "
           "chunked\r\n\r\n" +
           Chunk("abc") + Chunk("def") + "0\r\n\r\n";
  });
  Send(std::string("POST /x HTTP/1.0\r\n") + kAuth +
       "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nhi");
  bool clean = false;
  EXPECT_THAT(ReadToEnd(&clean),
              AllOf(StartsWith("HTTP/1.0 200 OK\r\n"), HasSubstr("Connection: close\r\n"),
                    Not(HasSubstr("Transfer-Encoding")), EndsWith("\r\n\r\nabcdef")));
  EXPECT_TRUE(clean);
}

TEST_F(Http1ConnectionTest, AnAnswerThatBreaksOffNeverLooksComplete) {
  api_server_.OnRequest([](const ScriptedServer::Request&) {
    return Reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + Chunk("half"),
                 After::kClose);
  });
  for (const char* version : {"1.0", "1.1"}) {
    Send(std::string("GET /x HTTP/") + version + "\r\n" + kAuth + "\r\n");
    bool clean = true;
    EXPECT_THAT(ReadToEnd(&clean), AllOf(HasSubstr("half"), Not(HasSubstr("0\r\n\r\n"))));
    EXPECT_FALSE(clean) << version;
    Hang();
  }
  ExpectAllOver();
}

TEST_F(Http1ConnectionTest, AnUpstreamsInterimAnswersAndTrailersAreRelayed) {
  api_server_.OnRequest([](const ScriptedServer::Request&) {
    return "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\nConnection: "
           "X-Hop\r\nX-Hop: 1\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
           Chunk("abc") + "0\r\nX-Sum: 7\r\n\r\n";
  });
  Get("/x");
  EXPECT_THAT(ReadUntil("\r\n\r\n"), AllOf(StartsWith("HTTP/1.1 103 Early Hints\r\n"),
                                           HasSubstr("Link: <x>"), Not(HasSubstr("X-Hop"))));
  EXPECT_THAT(ReadUntil("X-Sum: 7\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("3\r\nabc\r\n0\r\n")));
}

TEST_F(Http1ConnectionTest, ABodyIsAskedForOnceTheCredentialIsLookedAt) {
  Send(Line("POST /x") + "Expect: 100-Continue\r\nContent-Length: 4\r\n\r\n");
  EXPECT_EQ(ReadUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  Send("body");
  EXPECT_THAT(ReadUntil("from upstream"), Not(HasSubstr("Connection: close")));
  EXPECT_FALSE(api_server_.requests()[0].head.headers.Has("Expect"));
  EXPECT_EQ(api_server_.requests()[0].body, "body");

  authenticator_.credentials.kind = Credentials::Kind::kRejected;
  Send(Line("POST /x") + "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  EXPECT_THAT(ReadUntil("\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 401 "), HasSubstr("Connection: close\r\n")))
      << "nobody can tell whether a body follows";
}

TEST_F(Http1ConnectionTest, OtherExpectationsFail) {
  Send(Line("POST /x") + "Expect: miracles\r\nContent-Length: 0\r\n\r\n");
  EXPECT_THAT(ReadToEnd(), StartsWith("HTTP/1.1 417 Expectation Failed\r\n"));
}

TEST_F(Http1ConnectionTest, AnEarlyAnswerEndsTheUpload) {
  api_server_.OnRequest([](const ScriptedServer::Request&) {
    return Reply("HTTP/1.1 413 Request Entity Too Large\r\nContent-Length: 5\r\n\r\nlarge",
                 After::kKeep, /*read_body=*/false);
  });
  // Upstream reads nothing of it, the client sends only a part.
  Send(Line("POST /x") + "Content-Length: 100000000\r\n\r\n" + std::string(200'000, 'x'));
  EXPECT_THAT(ReadUntil("large"), StartsWith("HTTP/1.1 413 "));
  ExpectAllOver();
  ReadToEnd();
}

TEST_F(Http1ConnectionTest, AnEarlyAnswerReachesTheClientThoughUpstreamHungUp) {
  api_server_.OnRequest([](const ScriptedServer::Request&) {
    return Reply("HTTP/1.1 413 Request Entity Too Large\r\nContent-Length: 5\r\n\r\nlarge",
                 After::kClose, /*read_body=*/false);
  });
  // More than fits into sockets' buffers: the rest meets a connection that is closed.
  Send(Line("POST /x") + "Content-Length: 100000000\r\n\r\n" + std::string(1'000'000, 'x'));
  EXPECT_THAT(ReadUntil("large"), StartsWith("HTTP/1.1 413 "));
  ExpectAllOver();
}

TEST_F(Http1ConnectionTest, UntilTheHeadersOfFrontProxiesAreKnownNobodyIsSpokenForByThem) {
  authenticator_.credentials.kind = Credentials::Kind::kCertificate;
  authenticator_.credentials.identity = authenticator_.result.identity;
  std::vector<std::string> many;
  for (int i = 0; i < 1000; ++i) many.push_back("x-" + std::to_string(i));
  shared_.identity_headers.Add(many, {});  // They cannot be used.
  Send(Line("GET /x") + "\r\n");
  EXPECT_THAT(ReadUntil("extension-apiserver-authentication"),
              StartsWith("HTTP/1.1 503 Service Unavailable\r\n"));
  EXPECT_TRUE(api_server_.requests().empty());
  Hang();
  shared_.identity_headers.Add({"x-corp-user"}, {});
  Send(Line("GET /x") + "X-Corp-User: root\r\n\r\n");
  ReadUntil("from upstream");
  const auto requests = api_server_.requests();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_FALSE(requests[0].head.headers.Has("X-Corp-User"));
  EXPECT_EQ(*requests[0].head.headers.First("X-Remote-User"), "alice");
}

TEST_F(Http1ConnectionTest, AStreamsBodyIsNotWaitedFor) {
  // Upstream refuses it unread, and else it may be one that waits for the answer.
  api_server_.OnRequest([](const ScriptedServer::Request&) {
    return Reply("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", After::kKeep, false);
  });
  Send(Line("POST /api/v1/namespaces/a/pods/p/exec") + "Content-Length: 1\r\n\r\n");
  EXPECT_THAT(ReadToEnd(), StartsWith("HTTP/1.1 403 Forbidden\r\n"));
  EXPECT_EQ(shared_.admission.in_use(Admission::Pool::kForwardedStream), 0);
  ExpectAllOver();
}

TEST_F(Http1ConnectionTest, WhoIsNobodyAnyMoreAtTheEndOfHisBodyIsRefused) {
  Send(Line("POST /x") + "Content-Length: 5\r\n\r\nhel");
  WaitUntil([this] { return shared_.requests.load() == 1; });
  CallOn(worker_, [this] { authenticator_.credentials.kind = Credentials::Kind::kRejected; });
  Send("lo");
  EXPECT_THAT(ReadUntil("\r\n\r\n"), StartsWith("HTTP/1.1 401 Unauthorized\r\n"));
  EXPECT_TRUE(api_server_.requests().empty());
}

TEST_F(Http1ConnectionTest, AnUpstreamsTooManyRequestsAndNotModifiedAreRelayedAsTheyAre) {
  api_server_.OnRequest([](const ScriptedServer::Request& request) {
    return request.head.headers.Has("If-None-Match")
               ? "HTTP/1.1 304 Not Modified\r\nEtag: \"a\"\r\n\r\n"
               : "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: "
                 "4\r\n\r\nbusy";
  });
  Send(Line("GET /x") + "\r\n" + Line("GET /openapi/v3") + "If-None-Match: \"a\"\r\n\r\n");
  EXPECT_THAT(ReadUntil("busy"), AllOf(StartsWith("HTTP/1.1 429 Too Many Requests\r\n"),
                                       HasSubstr("Retry-After: 7\r\n")));
  EXPECT_THAT(ReadUntil("\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 304 Not Modified\r\n"), HasSubstr("Etag: \"a\"\r\n")));
}

TEST_F(Http1ConnectionTest, AClientThatLeavesInsideItsBodyEndsTheRequestUpstream) {
  Send(Line("POST /x") + "Content-Length: 200000\r\n\r\n" + std::string(100'000, 'x'));
  WaitUntil([&] {
    return !api_server_.requests().empty() && api_server_.requests()[0].body.size() == 100'000;
  });
  Hang();
  WaitUntil([&] { return api_server_.open_connections() == 0; });
  ExpectAllOver();
}

TEST_F(Http1ConnectionTest, AClientThatLeavesBeforeTheAnswerEndsTheRequestUpstream) {
  api_server_.OnRequest([](const ScriptedServer::Request&) { return Reply(); });
  for (const char* rest : {"GET /x", "POST /x"}) {
    Send(Line(rest) + (*rest == 'G' ? "\r\n" : "Content-Length: 4\r\n\r\nbody"));
    WaitUntil(
        [&] { return !api_server_.requests().empty() && api_server_.open_connections() == 1; });
    Hang();
    WaitUntil([&] { return api_server_.open_connections() == 0; });
    ExpectAllOver();
  }
}

TEST_F(Http1ConnectionTest, AClientThatLeavesInsideTheAnswerEndsItUpstream) {
  api_server_.OnRequest([](const ScriptedServer::Request&) {
    return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + Chunk("first");
  });
  Get("/api/v1/namespaces/a/pods/b/log?follow=true");
  ReadUntil("first");
  Hang();
  WaitUntil([&] { return api_server_.open_connections() == 0; });
  ExpectAllOver();
}

TEST_F(Http1ConnectionTest, OnlyWhatChangesNothingIsSentTwice) {
  Get("/x");
  ReadUntil("from upstream");
  api_server_.OnRequest([](const ScriptedServer::Request& request) {
    return request.connection == 0 ? Reply("", After::kCut) : Reply(Answer200("again"));
  });
  Get("/y");
  EXPECT_THAT(ReadUntil("again"), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(UpstreamTargets().size(), 3u);

  api_server_.OnRequest([](const ScriptedServer::Request&) { return Reply("", After::kCut); });
  Send(Line("POST /z") + "Content-Length: 2\r\n\r\nhi");
  // It may have been done: client-go would repeat whatever is answered with a Retry-After.
  EXPECT_THAT(ReadUntil("may have done"),
              AllOf(StartsWith("HTTP/1.1 502 "), Not(HasSubstr("Retry-After"))));
  EXPECT_EQ(UpstreamTargets().size(), 4u);
}

TEST_F(Http1ConnectionTest, AMalformedAnswerIsABadGatewayAndNothingOfItIsRelayed) {
  for (const char* answer :
       {"HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "rubbish\r\n\r\n"}) {
    api_server_.OnRequest([=](const ScriptedServer::Request&) { return Reply(answer); });
    Get("/x");
    EXPECT_THAT(ReadUntil("\"code\":502}\n"),
                AllOf(StartsWith("HTTP/1.1 502 "), Not(HasSubstr("Set-Cookie"))));
  }
}

TEST_F(Http1ConnectionTest, ABadlyFramedBodyIsRefusedAndUpstreamSeesNoEnd) {
  Send(Line("POST /x") + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0x1\r\n");
  EXPECT_THAT(ReadToEnd(), AllOf(StartsWith("HTTP/1.1 400 Bad Request\r\n"),
                                 HasSubstr("Connection: close\r\n")));
  EXPECT_THAT(UpstreamTargets(), ::testing::IsEmpty());
  Hang();
  Send(Line("POST /x") + "Transfer-Encoding: chunked\r\n\r\n" + Chunk(std::string(100'000, 'x')) +
       "0x1\r\n");
  EXPECT_THAT(ReadToEnd(), StartsWith("HTTP/1.1 400 Bad Request\r\n"));
  WaitUntil([&] { return api_server_.open_connections() == 0; });
  EXPECT_THAT(api_server_.requests()[0].body, Not(HasSubstr("0x1")));
}

TEST_F(Http1ConnectionTest, ABodyThatDoesNotComeTakesNobodysRoom) {
  config_.max_requests_inflight = 1;
  Send(Line("POST /x") + "Content-Length: 5\r\n\r\n");
  WaitUntil([&] { return shared_.requests.load() == 1; });
  EXPECT_THAT(HandleGet("/y")->body, HasSubstr("from upstream"));
  EXPECT_THAT(UpstreamTargets(), ::testing::ElementsAre("/y"));
  Send("hello");
  EXPECT_THAT(ReadUntil("from upstream"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(Http1ConnectionTest, HeadsThatAreTooLongOrWrongEndTheConnection) {
  Send("GET /x HTTP/1.1\r\nHost: weir\r\nX: " + std::string(config_.max_header_bytes, 'x') +
       "\r\n\r\n");
  EXPECT_THAT(ReadToEnd(), StartsWith("HTTP/1.1 431 Request Header Fields Too Large\r\n"));
  Hang();
  Send("GET /x HTTP/1.1\r\nHost: weir\r\nBad Name: x\r\n\r\n");
  EXPECT_THAT(ReadToEnd(), AllOf(StartsWith("HTTP/1.1 400 Bad Request\r\n"),
                                 HasSubstr("Connection: close\r\n")));
  EXPECT_THAT(UpstreamTargets(), ::testing::IsEmpty());
}

TEST_F(Http1ConnectionTest, AnUnreadBodyIsSkippedSoThatTheNextRequestIsTheNext) {
  authenticator_.credentials.kind = Credentials::Kind::kRejected;
  Send(Line("POST /x") + "Content-Length: 20000\r\n\r\n" + std::string(20'000, 'G') +
       Line("GET /y") + "\r\n");
  ReadUntil("\"code\":401}\n");
  EXPECT_THAT(ReadUntil("\"code\":401}\n"), StartsWith("HTTP/1.1 401 "));
}

TEST_F(Http1ConnectionTest, ABigBodyFlowsThroughBothWays) {
  const std::string large(3'000'000, 'u');
  api_server_.OnRequest([&](const ScriptedServer::Request&) { return Answer200(large + "!"); });
  std::string bytes = Line("POST /x") + "Transfer-Encoding: chunked\r\n\r\n";
  for (size_t at = 0; at < large.size(); at += 50'000) bytes += Chunk(large.substr(at, 50'000));
  Send(bytes + "0\r\n\r\n");
  EXPECT_GT(ReadUntil("!").size(), large.size());
  EXPECT_EQ(api_server_.requests()[0].body, large);
  ExpectAllOver();
}

TEST_F(Http1ConnectionTest, AWatchIsCutOffFromTheCacheWhenItsClientLeaves) {
  Get("/api/v1/pods?watch=1&resourceVersion=0");
  ReadUntil("secret-of-a");
  Hang();
  ExpectAllOver();
  CallOn(worker_, [&] { EXPECT_EQ(replica_->watcher_count(), 0u); });
}

TEST_F(Http1ConnectionTest, AfterClosingBeganAnswersSayThatTheyAreTheLast) {
  Get("/x");
  EXPECT_THAT(ReadUntil("from upstream"), Not(HasSubstr("Connection: close")));
  api_server_.OnRequest([this](const ScriptedServer::Request&) {
    shared_.closing = true;
    return Answer200("last");
  });
  Get("/y");
  EXPECT_THAT(ReadToEnd(), HasSubstr("Connection: close\r\n"));
}

TEST_F(Http1ConnectionTest, RequestsAboveTheLimitAreTurnedAway) {
  config_.max_requests_inflight = 0;
  Get("/x");
  EXPECT_THAT(ReadUntil("\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 429 "), HasSubstr("Retry-After: 1\r\n")));
  ExpectAllOver();
}

TEST_F(Http1ConnectionTest, CertificateUsersAreForwardedOnTheFrontProxysConnections) {
  authenticator_.credentials.kind = Credentials::Kind::kCertificate;
  authenticator_.credentials.identity = authenticator_.result.identity;
  Get("/x");
  ReadUntil("from upstream");
  authenticator_.credentials.kind = Credentials::Kind::kToken;
  Get("/y");
  ReadUntil("from upstream");
  const auto requests = api_server_.requests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].certificates.size(), 1u);
  EXPECT_EQ(*requests[0].head.headers.First("X-Remote-User"), "alice");
  EXPECT_FALSE(requests[0].head.headers.Has("Authorization"));
  EXPECT_EQ(requests[1].certificates.size(), 0u) << "a token rides with no certificate of ours";
  EXPECT_FALSE(requests[1].head.headers.Has("X-Remote-User"));
}

TEST_F(Http1ConnectionTest, PlainHttpIsToldSo) {
  const SocketPair sockets = ConnectedSockets();
  worker_.Post([this, sockets] {
    worker_.Spawn(ServeConnection(service_, sockets.server, api_server_.tls().server()));
  });
  RunOn(client_worker_, [&]() -> Async<void> {
    Stream plain(client_worker_, sockets.client, nullptr);
    plain.Write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    const auto text = co_await ReadExactly(plain, 26);
    EXPECT_EQ(text.value(), "HTTP/1.0 400 Bad Request\r\n");
  });
}

}  // namespace
}  // namespace weir
