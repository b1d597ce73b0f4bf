// HTTP/2 connections of clients and what is served and forwarded over them, frame by frame.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/admin/metrics.h"
#include "tests/proxy/session/http2_fixture.h"

namespace weir {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using Reply = ScriptedServer::Reply;
using After = ScriptedServer::After;
using Http2ConnectionTest = Http2Test;

constexpr const char* kPodA = "/api/v1/namespaces/default/pods/a?resourceVersion=0";
constexpr const char* kWatch = "/api/v1/pods?watch=1&resourceVersion=0";

TEST_F(Http2ConnectionTest, TheSettingsAreThoseOfKubeApiserverButForTheFieldsItAdmits) {
  ConnectHttp2();
  const Frame settings = ReadFrame();
  EXPECT_EQ(settings.type, NGHTTP2_SETTINGS);
  EXPECT_EQ(settings.payload, Setting(5, 262144) + Setting(3, 100) + Setting(6, 65536 + 256 * 32) +
                                  Setting(1, 4096) + Setting(4, 262144) + Setting(9, 1));
  const Frame window = ReadFrame();
  EXPECT_EQ(window.type, NGHTTP2_WINDOW_UPDATE);
  EXPECT_EQ(window.stream, 0u);
  EXPECT_EQ(ReadNumber32(window.payload), 26148865u);
  ExpectAlive();
}

TEST_F(Http2ConnectionTest, StreamsOfOneConnectionAreServedSideBySide) {
  ConnectHttp2();
  std::string bytes = HeadersBytes(1, Request("GET", kPodA));
  bytes += HeadersBytes(3, Request("POST", "/x"), false);
  bytes += FrameBytes(NGHTTP2_DATA, 0, 3, "he");
  bytes += HeadersBytes(5, Request("GET", "/y"));
  SendBytes(bytes);
  const Answer cached = ReadAnswer(1);
  EXPECT_EQ(cached[":status"], "200");
  EXPECT_EQ(cached["content-type"], "application/json");
  EXPECT_EQ(cached["content-length"], std::to_string(cached.body.size()));
  EXPECT_THAT(cached.body, HasSubstr("secret-of-a"));
  EXPECT_EQ(ReadAnswer(5).body, "from upstream") << "while stream 3 still sends";
  SendFrame(NGHTTP2_DATA, kEndStream, 3, "llo");
  EXPECT_EQ(ReadAnswer(3).body, "from upstream");
  for (const auto& request : api_server_.requests()) {
    EXPECT_EQ(request.body, request.head.target == "/x" ? "hello" : "");
    EXPECT_EQ(*request.head.headers.First("Authorization"), "Bearer alices-token");
  }
  EXPECT_EQ(ProcessMetrics().http2_connections.value(), 1);
}

TEST_F(Http2ConnectionTest, AnAnswerEndsWithItsLastByteAndOneWithoutABodyWithItsHead) {
  api_server_.OnRequest([](const ScriptedServer::Request& request) {
    if (request.head.method == "DELETE") return "HTTP/1.1 204 No Content\r\n\r\n";
    return request.head.method == "HEAD" ? "HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n"
                                         : "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  });
  ConnectHttp2();
  SendHeaders(1, Request("HEAD", "/x"));
  EXPECT_EQ(ReadAnswer(1)["content-length"], "12345");
  SendHeaders(3, Request("DELETE", "/x"));
  EXPECT_EQ(ReadAnswer(3)[":status"], "204");
  SendGet(5, "/x");
  EXPECT_EQ(ReadAnswer(5)["content-length"], "0");
  SendGet(7, kPodA);
  ReadAnswer(7);
  size_t data = 0;
  for (const Frame& frame : frames_) data += frame.type == NGHTTP2_DATA ? 1 : 0;
  EXPECT_EQ(data, 1u);
}

TEST_F(Http2ConnectionTest, InterimAnswersAndTrailersArePassedOnAndHopFieldsAreNot) {
  api_server_.OnRequest([](const ScriptedServer::Request&) {
    return "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 200 OK\r\nKeep-Alive: 1\r\n"
           "Connection: X-Gone\r\nX-Gone: 1\r\nX-Kept: 2\r\nTransfer-Encoding: chunked\r\n\r\n" +
           Chunk("abc") + "0\r\nX-End: yes\r\n\r\n";
  });
  ConnectHttp2();
  SendHeaders(1, With(Request("POST", "/x"), {{"expect", "100-continue"}}), false);
  EXPECT_TRUE(ReadFramesUntil([](const Frame& f) { return f.type == NGHTTP2_HEADERS; }));
  ASSERT_EQ(answers_[1].interim.size(), 1u);
  EXPECT_EQ(answers_[1].interim[0][0].second, "100");
  SendFrame(NGHTTP2_DATA, kEndStream, 1, "hi");
  const Answer answer = ReadAnswer(1);
  ASSERT_EQ(answer.interim.size(), 2u);
  EXPECT_EQ(answer.interim[1][0].second, "103");
  EXPECT_EQ(answer["x-kept"], "2");
  for (const char* gone : {"keep-alive", "connection", "x-gone", "transfer-encoding"})
    EXPECT_EQ(answer[gone], "") << gone;
  EXPECT_EQ(answer.body, "abc");
  ASSERT_EQ(answer.trailers.size(), 1u);
  EXPECT_EQ(answer.trailers[0].first, "x-end");
}

TEST_F(Http2ConnectionTest, WhatIsForwardedIsTheSameRequestInHttp11) {
  ConnectHttp2();
  SendHeaders(1, With(Request("GET", "/x?a=b"), {{"cookie", "a=1"},
                                                 {"te", "trailers"},
                                                 {"cookie", "b=2"},
                                                 {"x-y", "z"},
                                                 {"expect", "miracles"},
                                                 {"x-remote-user", "root"}}));
  ReadAnswer(1);
  SendHeaders(3, With(Request("PUT", "/x"), {{"content-length", "5"}}), false);
  SendFrame(NGHTTP2_DATA, kEndStream, 3, "hello");
  ReadAnswer(3);
  const auto requests = api_server_.requests();
  ASSERT_EQ(requests.size(), 2u);
  const http::RequestHead& get = requests[0].head;
  EXPECT_EQ(get.target, "/x?a=b");
  EXPECT_EQ(*get.headers.First("Cookie"), "a=1; b=2");
  EXPECT_EQ(get.headers.Count("Cookie"), 1u);
  EXPECT_EQ(*get.headers.First("TE"), "trailers");
  EXPECT_EQ(*get.headers.First("X-Y"), "z");
  EXPECT_FALSE(get.headers.Has("Expect"));
  EXPECT_FALSE(get.headers.Has("X-Remote-User"));
  EXPECT_EQ(get.headers.Count("Host"), 1u);
  EXPECT_EQ(requests[1].head.body.kind, http::BodyFraming::Kind::kLength);
  EXPECT_EQ(requests[1].body, "hello");
}

TEST_F(Http2ConnectionTest, AWatchIsWrittenAsEventsComeAndEndsWithItsStream) {
  ConnectHttp2();
  SendGet(1, kWatch);
  ReadBodyUntil(1, "secret-of-a");
  CallOn(worker_, [&] {
    log_.Put("default/c", {.note = "later"});
    replica_->OnBatch(log_.Cut(), 1);
  });
  ReadBodyUntil(1, "later");
  EXPECT_EQ(answers_[1]["content-length"], "");
  SendFrame(NGHTTP2_RST_STREAM, 0, 1, Number32(NGHTTP2_CANCEL));
  WaitUntil([&] {
    size_t count = 1;
    CallOn(worker_, [&] { count = replica_->watcher_count(); });
    return count == 0;
  });
  ExpectAlive();
  ExpectAllOver();
}

TEST_F(Http2ConnectionTest, StreamsThatWantTheSameEventShareOneSend) {
  ConnectHttp2();
  for (uint32_t id = 1; id <= 19; id += 2) {
    SendGet(id, kWatch);
    ReadBodyUntil(id, "of-b");
  }
  uint64_t sends = 0;
  uint64_t records = 0;
  CallOn(worker_, [&] {
    sends = worker_.counters().sends;
    records = worker_.counters().records;
    log_.Put("default/c", {.note = "later"});
    replica_->OnBatch(log_.Cut(), 1);
  });
  for (uint32_t id = 1; id <= 19; id += 2) ReadBodyUntil(id, "later");
  CallOn(worker_, [&] {
    EXPECT_EQ(worker_.counters().sends - sends, 1u);
    EXPECT_EQ(worker_.counters().records - records, 1u);
  });
}

TEST_F(Http2ConnectionTest, AClosedWindowParksAWatchAndNobodyElse) {
  ConnectHttp2();
  SendGet(1, kWatch);
  SendGet(3, kWatch);
  ReadBodyUntil(1, "of-b");
  ReadBodyUntil(3, "of-b");
  // Of the stream's and the connection's 65,535 bytes the connection's stay open.
  SendWindow(0, 1 << 30);
  SendWindow(3, 1 << 30);
  const std::string note(8000, 'x');
  for (int i = 0; i < 200; ++i) {
    CallOn(worker_, [&] {
      log_.Put("default/c", {.note = note + std::to_string(i) + "."});
      replica_->OnBatch(log_.Cut(), 1);
    });
  }
  ReadBodyUntil(3, "199.");
  EXPECT_EQ(answers_[1].body.size(), 65535u);
  EXPECT_LT(ProcessMetrics().unsent_bytes.value(), 64 * 1024) << "a cursor, and one event's rest";
  SendWindow(1, 1 << 30);
  ReadBodyUntil(1, "199.");
  EXPECT_EQ(answers_[1].body.substr(answers_[1].body.size() - 60000),
            answers_[3].body.substr(answers_[3].body.size() - 60000))
      << "nothing is missing";
  EXPECT_EQ(ProcessMetrics().unsent_bytes.value(), 0);
}

TEST_F(Http2ConnectionTest, ALongAnswerFollowsTheWindowByteForByte) {
  std::string body;
  while (body.size() < 600'000) body += std::to_string(body.size()) + ",";
  api_server_.OnRequest([&](const ScriptedServer::Request&) { return Answer200(body); });
  ConnectHttp2(Setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0));
  SendGet(1, "/x");
  EXPECT_TRUE(ReadFramesUntil([](const Frame& f) { return f.type == NGHTTP2_HEADERS; }));
  ExpectAlive();
  EXPECT_EQ(answers_[1].body, "");
  SendWindow(0, 1 << 30);
  SendWindow(1, 1);
  while (answers_[1].body.empty()) ReadFrame();
  EXPECT_EQ(answers_[1].body.size(), 1u);
  while (!answers_[1].ended) {
    SendWindow(1, 100'000);
    const size_t want = std::min(answers_[1].body.size() + 100'000, body.size());
    while (answers_[1].body.size() < want) ASSERT_NE(ReadFrame().type, 0xff);
    if (want == body.size()) ReadAnswer(1);
  }
  EXPECT_TRUE(answers_[1].body == body);
}

TEST_F(Http2ConnectionTest, ALongBodyMovesItsWindowAsUpstreamTakesIt) {
  std::string body;
  while (body.size() < 3'000'000) body += std::to_string(body.size()) + ",";
  ConnectHttp2();
  SendHeaders(1, Request("POST", "/x"), false);
  size_t sent = 0;
  size_t window = 262144;
  while (sent < body.size()) {
    while (window >= 16384 && sent < body.size()) {
      const std::string piece = body.substr(sent, 16384);
      sent += piece.size();
      window -= piece.size();
      SendFrame(NGHTTP2_DATA, sent == body.size() ? kEndStream : 0, 1, piece);
    }
    if (sent == body.size()) break;
    const Frame frame = ReadFrame();
    ASSERT_NE(frame.type, 0xff);
    if (frame.type == NGHTTP2_WINDOW_UPDATE && frame.stream == 1)
      window += ReadNumber32(frame.payload);
    ASSERT_LE(window, 262144u);
  }
  EXPECT_EQ(ReadAnswer(1).body, "from upstream");
  EXPECT_TRUE(api_server_.requests().at(0).body == body);
  // What was discarded or lost opens the connection's window too: no more is out than was sent.
  size_t opened = 0;
  ExpectAlive();
  for (const Frame& frame : frames_) {
    if (frame.type == NGHTTP2_WINDOW_UPDATE && frame.stream == 0)
      opened += ReadNumber32(frame.payload);
  }
  EXPECT_LE(opened, 26148865u + body.size());
}

TEST_F(Http2ConnectionTest, AClientThatCancelsEndsTheRequestUpstream) {
  api_server_.OnRequest([](const ScriptedServer::Request&) { return Reply(""); });
  ConnectHttp2();
  SendGet(1, "/x");
  WaitUntil([&] { return api_server_.requests().size() == 1; });
  SendFrame(NGHTTP2_RST_STREAM, 0, 1, Number32(NGHTTP2_CANCEL));
  WaitUntil([&] { return api_server_.open_connections() == 0; });
  SendHeaders(3, Request("POST", "/x"), false);
  SendFrame(NGHTTP2_DATA, 0, 3, std::string(70'000, 'x').substr(0, 16384));
  SendFrame(NGHTTP2_RST_STREAM, 0, 3, Number32(NGHTTP2_CANCEL));
  ExpectAlive();
  ExpectAllOver();
}

TEST_F(Http2ConnectionTest, AnAnswerThatBreaksOffIsResetAndTheOthersGoOn) {
  api_server_.OnRequest([](const ScriptedServer::Request&) {
    return Reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + Chunk("half"),
                 After::kClose);
  });
  ConnectHttp2();
  SendGet(1, "/x");
  const Answer answer = ReadAnswer(1);
  EXPECT_FALSE(answer.ended);
  EXPECT_EQ(answer.reset, NGHTTP2_INTERNAL_ERROR);
  SendGet(3, kPodA);
  EXPECT_EQ(ReadAnswer(3)[":status"], "200");
}

TEST_F(Http2ConnectionTest, AnAnswerBeforeTheEndOfTheBodyAsksTheClientToStop) {
  api_server_.OnRequest([](const ScriptedServer::Request&) {
    return Reply("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno", After::kKeep, false);
  });
  ConnectHttp2();
  SendHeaders(1, Request("POST", "/x"), false);
  for (int i = 0; i < 5; ++i) SendFrame(NGHTTP2_DATA, 0, 1, std::string(16384, 'x'));
  while (answers_[1].reset < 0) ASSERT_NE(ReadFrame().type, 0xff);
  EXPECT_TRUE(answers_[1].ended);
  EXPECT_EQ(answers_[1].body, "no");
  EXPECT_EQ(answers_[1].reset, NGHTTP2_NO_ERROR);
  ExpectAlive();
  ExpectAllOver();
}

TEST_F(Http2ConnectionTest, WhoeverIsNobodyIsToldToGoBeforeTheAnswer) {
  for (const auto kind : {Credentials::Kind::kRejected, Credentials::Kind::kNone}) {
    authenticator_.credentials.kind = kind;
    ConnectHttp2();
    SendGet(1, "/x");
    const Answer answer = ReadAnswer(1);
    EXPECT_EQ(answer[":status"], kind == Credentials::Kind::kNone ? "200" : "401");
    EXPECT_TRUE(answer.ended);
    std::vector<int> order;
    for (const Frame& frame : frames_)
      if (frame.type == NGHTTP2_GOAWAY || frame.type == NGHTTP2_HEADERS)
        order.push_back(frame.type);
    EXPECT_THAT(order, ::testing::ElementsAre(NGHTTP2_GOAWAY, NGHTTP2_HEADERS));
    EXPECT_EQ(ReadToGoAway(), NGHTTP2_NO_ERROR);
    EXPECT_EQ(goaway_last_, 1u);
    Hang();
  }
}

TEST_F(Http2ConnectionTest, AtShutdownNoStreamIsAddedAndThoseThatAreThereFinish) {
  api_server_.OnRequest([](const ScriptedServer::Request&) { return Reply(""); });
  ConnectHttp2();
  SendGet(1, "/x");
  WaitUntil([&] { return api_server_.requests().size() == 1; });
  CallOn(worker_, [&] { DrainHttp2(service_); });
  EXPECT_TRUE(ReadFramesUntil([](const Frame& f) { return f.type == NGHTTP2_GOAWAY; }));
  EXPECT_EQ(goaway_, NGHTTP2_NO_ERROR);
  EXPECT_EQ(goaway_last_, 1u);
  SendGet(3, "/y");
  api_server_.Send(0, Answer200("late"));
  EXPECT_EQ(ReadAnswer(1).body, "late");
  ReadToGoAway();
  EXPECT_TRUE(answers_[3].head.empty());
  EXPECT_EQ(api_server_.requests().size(), 1u);
}

TEST_F(Http2ConnectionTest, AStreamTooManyIsRefusedAndTheOthersGoOn) {
  config_.http2_max_streams_per_connection = 3;
  api_server_.OnRequest([](const ScriptedServer::Request&) { return Reply(""); });
  ConnectHttp2();
  for (const uint32_t id : {1, 3, 5, 7}) SendGet(id, "/x");
  EXPECT_EQ(ReadAnswer(7).reset, NGHTTP2_REFUSED_STREAM);
  WaitUntil([&] { return api_server_.requests().size() == 3; });
  for (size_t i = 0; i < 3; ++i) api_server_.Send(i, Answer200("late"));
  for (const uint32_t id : {1, 3, 5}) EXPECT_EQ(ReadAnswer(id).body, "late");
  SendGet(9, kPodA);
  EXPECT_EQ(ReadAnswer(9)[":status"], "200");
}

TEST_F(Http2ConnectionTest, HeadsBeyondTheLimitsGetTheirStatus) {
  config_.max_header_fields = 20;
  config_.max_header_bytes = 8000;
  config_.max_url_bytes = 1000;
  ConnectHttp2();
  SendGet(1, "/" + std::string(1000, 'u'));
  EXPECT_EQ(ReadAnswer(1)[":status"], "414");
  SendHeaders(3, With(Request("GET", "/"), Fields(20, {"x", "y"})));
  EXPECT_EQ(ReadAnswer(3)[":status"], "431");
  SendHeaders(5, With(Request("GET", "/"), {{"x", std::string(8000, 'y')}}));
  EXPECT_EQ(ReadAnswer(5)[":status"], "431");
  SendHeaders(7, {{":method", "CONNECT"}, {":authority", "weir"}});
  EXPECT_EQ(ReadAnswer(7)[":status"], "405");
  EXPECT_TRUE(api_server_.requests().empty());
}

TEST_F(Http2ConnectionTest, AMalformedRequestEndsItsStreamOnly) {
  const Fields get = Request("GET", "/");
  const auto without = [&](const std::string& name) {
    Fields fields;
    for (const auto& field : get)
      if (field.first != name) fields.push_back(field);
    return fields;
  };
  const auto replaced = [&](const std::string& name, const std::string& value) {
    Fields fields = get;
    for (auto& field : fields)
      if (field.first == name) field.second = value;
    return fields;
  };
  Fields late = without(":path");
  late.emplace_back(":path", "/");
  const std::vector<std::pair<const char*, Fields>> malformed = {
      {"upper case", With(get, {{"X-Y", "z"}})},
      {"space in a name", With(get, {{"x y", "z"}})},
      {"empty name", With(get, {{"", "z"}})},
      {"CR", With(get, {{"x", "a\rb"}})},
      {"LF", With(get, {{"x", "a\nb"}})},
      {"NUL", With(get, {{"x", std::string("a\0b", 3)}})},
      {"connection", With(get, {{"connection", "close"}})},
      {"transfer-encoding", With(get, {{"transfer-encoding", "chunked"}})},
      {"upgrade", With(get, {{"upgrade", "websocket"}})},
      {"keep-alive", With(get, {{"keep-alive", "1"}})},
      {"te", With(get, {{"te", "gzip"}})},
      {"no method", without(":method")},
      {"no scheme", without(":scheme")},
      {"no path", without(":path")},
      {"two methods", With({{":method", "PUT"}}, get)},
      {"unknown pseudo-header", With({{":x", "y"}}, get)},
      {"protocol", With({{":protocol", "websocket"}}, get)},
      {"status", With({{":status", "200"}}, get)},
      {"pseudo-header after a field", late},
      {"scheme", replaced(":scheme", "ftp")},
      {"method", replaced(":method", "G T")},
      {"long method", replaced(":method", std::string(33, 'M'))},
      {"empty path", replaced(":path", "")},
      {"relative path", replaced(":path", "x")},
      {"absolute form", replaced(":path", "https://weir/x")},
      {"star", replaced(":path", "*")},
      {"space in the path", replaced(":path", "/a b")},
      {"fragment", replaced(":path", "/a#b")},
      {"bad escape", replaced(":path", "/%zz")},
      {"bad authority", replaced(":authority", "a/b")},
      {"another host", With(get, {{"host", "other"}})},
      {"two hosts", With(get, {{"host", "weir"}, {"host", "weir"}})},
      {"length of a body that is none", With(get, {{"content-length", "5"}})},
      {"two lengths", With(get, {{"content-length", "0"}, {"content-length", "0"}})},
      {"signed length", With(get, {{"content-length", "+0"}})},
  };
  ConnectHttp2();
  uint32_t id = 1;
  for (const auto& [what, fields] : malformed) {
    SendHeaders(id, fields);
    EXPECT_EQ(ReadAnswer(id).reset, NGHTTP2_PROTOCOL_ERROR) << what;
    EXPECT_TRUE(answers_[id].head.empty()) << what;
    id += 2;
  }
  // More, and less, than was announced.
  for (const char* body : {"longer", "s"}) {
    SendHeaders(id, With(Request("POST", "/x"), {{"content-length", "3"}}), false);
    SendFrame(NGHTTP2_DATA, kEndStream, id, body);
    EXPECT_EQ(ReadAnswer(id).reset, NGHTTP2_PROTOCOL_ERROR) << body;
    id += 2;
  }
  ExpectAlive();
  ExpectAllOver();
  EXPECT_TRUE(api_server_.requests().empty() || api_server_.requests()[0].body != "longer");
}

TEST_F(Http2ConnectionTest, WhoeverSpeaksNoHttp2IsClosed) {
  ConnectHttp2();
  Hang();
  const SocketPair sockets = ConnectedSockets();
  worker_.Post([this, sockets] {
    worker_.Spawn(ServeConnection(service_, sockets.server, api_server_.tls().server()));
  });
  RunOn(client_worker_, [&]() -> Async<void> {
    SSL* const ssl = api_server_.tls().NewClient();
    SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>("\x02h2"), 3);
    stream_ = std::make_unique<Stream>(client_worker_, sockets.client, ssl);
    (void)co_await stream_->Handshake(false);
  });
  SendBytes("GET / HTTP/1.1\r\nHost: weir\r\n\r\n");
  EXPECT_THAT(ReadToEnd(), Not(HasSubstr("HTTP/1.1")));
  WaitUntil([this] { return shared_.connections.load() == 0; });
}

}  // namespace
}  // namespace weir
