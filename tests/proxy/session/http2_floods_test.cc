// What an HTTP/2 client may make the server do for nothing has a bound, at which its connection
// ends, and only its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/admin/metrics.h"
#include "proxy/session/http2_session.h"
#include "tests/proxy/session/http2_fixture.h"

namespace weir {
namespace {

using Reply = ScriptedServer::Reply;

constexpr const char* kPodA = "/api/v1/namespaces/default/pods/a?resourceVersion=0";

class Http2FloodsTest : public Http2Test {
 protected:
  // Sends `next` until the connection ends, at most `most` times in lots of `lot`; how often.
  int Flood(int lot, int most, const std::function<std::string()>& next) {
    int sent = 0;
    while (sent < most && goaway_ < 0) {
      std::string bytes;
      for (int i = 0; i < lot; ++i) bytes += next();
      sent += lot;
      SendBytes(bytes);
      // Whether it still listens.
      SendFrame(NGHTTP2_PING, 0, 0, "12345678");
      const bool alive = ReadFramesUntil([](const Frame& f) {
        return f.type == NGHTTP2_GOAWAY || (f.type == NGHTTP2_PING && f.payload == "12345678");
      });
      if (!alive) break;
    }
    return sent;
  }
  void ExpectCalmedDown() {
    EXPECT_EQ(ReadToGoAway(), NGHTTP2_ENHANCE_YOUR_CALM);
    Hang();
    ExpectAllOver();
    WaitUntil([this] { return shared_.connections.load() == 0; });
    EXPECT_EQ(ProcessMetrics().http2_streams.value(), 0);
    // The next client finds a server that works.
    ConnectHttp2();
    SendGet(1, kPodA);
    EXPECT_EQ(ReadAnswer(1)[":status"], "200");
  }
};

// CVE-2023-44487.
TEST_F(Http2FloodsTest, StreamsOpenedOnlyToBeReset) {
  ConnectHttp2();
  uint32_t id = 1;
  const int sent = Flood(20, 2000, [&] {
    std::string bytes = HeadersBytes(id, Request("GET", "/x"));
    bytes += FrameBytes(NGHTTP2_RST_STREAM, 0, id, Number32(NGHTTP2_CANCEL));
    id += 2;
    return bytes;
  });
  EXPECT_LE(sent, 400);
  ExpectCalmedDown();
  EXPECT_LE(api_server_.requests().size(), 400u);
}

// A stream that was reset before its turn came is not worked on.
TEST_F(Http2FloodsTest, WhatIsResetInTheSameBreathIsNotServed) {
  ConnectHttp2();
  std::string bytes;
  for (uint32_t id = 1; id < 100; id += 2) {
    bytes += HeadersBytes(id, Request("GET", "/x"));
    bytes += FrameBytes(NGHTTP2_RST_STREAM, 0, id, Number32(NGHTTP2_CANCEL));
  }
  SendBytes(bytes);
  ExpectAlive();
  ExpectAllOver();
  EXPECT_EQ(api_server_.requests().size(), 0u);
}

// CVE-2025-8671: the client makes the server reset the streams.
TEST_F(Http2FloodsTest, StreamsThatTheServerIsMadeToReset) {
  ConnectHttp2();
  uint32_t id = 1;
  const int sent = Flood(20, 2000, [&] {
    std::string bytes = HeadersBytes(id, Request("GET", "/x"));
    bytes += FrameBytes(NGHTTP2_WINDOW_UPDATE, 0, id, Number32(0x7fffffff));
    id += 2;
    return bytes;
  });
  EXPECT_LE(sent, 400);
  ExpectCalmedDown();
}

TEST_F(Http2FloodsTest, MalformedRequests) {
  ConnectHttp2();
  uint32_t id = 1;
  const int sent = Flood(20, 2000, [&] {
    std::string bytes = HeadersBytes(id, With(Request("GET", "/x"), {{"Upper", "case"}}));
    id += 2;
    return bytes;
  });
  EXPECT_LE(sent, 400);
  ExpectCalmedDown();
}

TEST_F(Http2FloodsTest, StreamsBeyondTheLimit) {
  config_.max_requests_inflight = 10'000;
  api_server_.OnRequest([](const ScriptedServer::Request&) { return Reply(""); });
  ConnectHttp2();
  uint32_t id = 1;
  const int sent = Flood(50, 5000, [&] {
    std::string bytes = HeadersBytes(id, Request("GET", "/x"));
    id += 2;
    return bytes;
  });
  EXPECT_LE(sent, 500);
  EXPECT_LE(api_server_.requests().size(), 100u);
  ExpectCalmedDown();
}

// CVE-2024-28182.
TEST_F(Http2FloodsTest, FieldBlocksWithoutEnd) {
  ConnectHttp2();
  std::string bytes = FrameBytes(NGHTTP2_HEADERS, 0, 1, coder_->Encode(Request("GET", "/x")));
  for (int i = 0; i < 20; ++i)
    bytes += FrameBytes(NGHTTP2_CONTINUATION, 0, 1, coder_->Encode({{"x", "y"}}));
  SendBytes(bytes);
  ExpectCalmedDown();
}

TEST_F(Http2FloodsTest, AFieldBlockThatIsTooLong) {
  ConnectHttp2();
  std::string block = coder_->Encode(Request("GET", "/x"));
  for (int i = 0; i < 9; ++i)
    block += coder_->Encode({{"x", std::string(15000, static_cast<char>(0xf8))}});
  SendBytes(FrameBytes(NGHTTP2_HEADERS, kEndHeaders | kEndStream, 1, block));
  ExpectCalmedDown();
}

// One field of 4 KB in the table, named 60,000 times: 240 MB of head from 64 KB.
TEST_F(Http2FloodsTest, AFieldBlockThatUnpacksToMuchCostsItsSizeOnly) {
  ConnectHttp2();
  const std::string value(4000, 'v');
  std::string block = coder_->Encode(With(Request("GET", "/x"), {{"x", value}}));
  block += std::string(60'000, static_cast<char>(0x80 | 62));  // The newest entry of the table.
  SendBytes(FrameBytes(NGHTTP2_HEADERS, kEndHeaders | kEndStream, 1, block));
  EXPECT_EQ(ReadAnswer(1)[":status"], "431");
  SendGet(3, kPodA);
  EXPECT_EQ(ReadAnswer(3)[":status"], "200");
  EXPECT_TRUE(api_server_.requests().empty());
}

TEST_F(Http2FloodsTest, Pings) {
  ConnectHttp2();
  EXPECT_LE(Flood(100, 10'000, [] { return FrameBytes(NGHTTP2_PING, 0, 0, "abcdefgh"); }), 1200);
  ExpectCalmedDown();
}

TEST_F(Http2FloodsTest, Settings) {
  ConnectHttp2();
  EXPECT_LE(
      Flood(100, 10'000, [] { return FrameBytes(NGHTTP2_SETTINGS, 0, 0, Setting(4, 70'000)); }),
      1200);
  ExpectCalmedDown();
}

TEST_F(Http2FloodsTest, UnknownFrames) {
  ConnectHttp2();
  EXPECT_LE(Flood(100, 10'000, [] { return FrameBytes(0xbe, 0, 0, "?"); }), 1200);
  ExpectCalmedDown();
}

TEST_F(Http2FloodsTest, Priorities) {
  ConnectHttp2();
  EXPECT_LE(Flood(50, 10'000,
                  [] { return FrameBytes(NGHTTP2_PRIORITY, 0, 1, std::string("\0\0\0\0\1", 5)); }),
            400);
  ExpectCalmedDown();
}

TEST_F(Http2FloodsTest, WindowUpdates) {
  ConnectHttp2();
  EXPECT_LE(
      Flood(100, 100'000, [] { return FrameBytes(NGHTTP2_WINDOW_UPDATE, 0, 0, Number32(1)); }),
      1300);
  ExpectCalmedDown();
}

TEST_F(Http2FloodsTest, EmptyData) {
  api_server_.OnRequest([](const ScriptedServer::Request&) { return Reply(""); });
  ConnectHttp2();
  SendHeaders(1, Request("POST", "/x"), false);
  EXPECT_LE(Flood(5, 1000, [] { return FrameBytes(NGHTTP2_DATA, 0, 1, ""); }), 15);
  ExpectCalmedDown();
}

// Padding is no progress either.
TEST_F(Http2FloodsTest, DataOfPaddingOnly) {
  api_server_.OnRequest([](const ScriptedServer::Request&) { return Reply(""); });
  ConnectHttp2();
  SendHeaders(1, Request("POST", "/x"), false);
  EXPECT_LE(Flood(5, 1000,
                  [] {
                    return FrameBytes(NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1,
                                      "\x03" + std::string(3, '\0'));
                  }),
            15);
  ExpectCalmedDown();
}

TEST_F(Http2FloodsTest, AnAnswerTakenByteByByte) {
  const std::string body(100'000, 'x');
  api_server_.OnRequest([&](const ScriptedServer::Request&) { return Answer200(body); });
  ConnectHttp2(Setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0));
  SendGet(1, "/x");
  EXPECT_LE(Flood(50, 50'000, [] { return FrameBytes(NGHTTP2_WINDOW_UPDATE, 0, 1, Number32(1)); }),
            1300);
  ExpectCalmedDown();
}

// Acknowledgements wait for a client that reads nothing: not for ever.
TEST_F(Http2FloodsTest, PingsOfAClientThatReadsNothing) {
  const std::string body(8 << 20, 'x');
  api_server_.OnRequest([&](const ScriptedServer::Request&) { return Answer200(body); });
  ConnectHttp2(Setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0x7fffffff));
  SendWindow(0, 0x7fff0000);
  SendGet(1, "/x");
  WaitUntil([] { return ProcessMetrics().unsent_bytes.value() > 0; });
  std::string pings;
  for (int i = 0; i < 500; ++i) pings += FrameBytes(NGHTTP2_PING, 0, 0, "abcdefgh");
  SendBytes(pings);
  WaitUntil([this] { return shared_.connections.load() == 0; });
  Hang();
  ExpectAllOver();
}

// Windows of 1 byte on streams with much to say: what is kept for them has a bound.
TEST_F(Http2FloodsTest, StreamsThatNobodyReadsKeepLittle) {
  config_.max_requests_inflight = 10'000;
  const std::string body(1 << 20, 'x');
  api_server_.OnRequest([&](const ScriptedServer::Request&) { return Answer200(body); });
  ConnectHttp2(Setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1));
  for (uint32_t id = 1; id < 200; id += 2) SendGet(id, "/x");
  for (uint32_t id = 1; id < 200; id += 2)
    while (answers_[id].body.empty()) ASSERT_NE(ReadFrame().type, 0xff);
  ExpectAlive();
  CallOn(worker_, [&] {
    ASSERT_EQ(service_.http2_sessions.size(), 1u);
    EXPECT_LE((*service_.http2_sessions.begin())->kept(), Http2Session::kMaxKept);
  });
}

}  // namespace
}  // namespace weir
