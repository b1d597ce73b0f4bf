// What RFC 9113 and RFC 7541 say that a server must do with what a client sends, rule by rule, each
// on a connection of its own. The names begin with the section.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/proxy/session/http2_fixture.h"

namespace weir {
namespace {

using Reply = ScriptedServer::Reply;

// What must come of it.
enum class End {
  kConnection,  // GOAWAY with the code, and the connection ends.
  kStream,      // RST_STREAM of stream 1 with the code; the connection goes on.
  kEither,      // One of the two: nghttp2 is stricter, or milder, than the rule.
  kServed,      // Stream 1 is answered; the connection goes on.
  kServedLast,  // Stream 1 is answered; the connection ends.
  kIgnored,     // Nothing at all.
};

struct Rule {
  const char* name;
  End end;
  int code;
  std::string bytes;  // After the preface and SETTINGS.
};

constexpr int kProtocol = NGHTTP2_PROTOCOL_ERROR;
constexpr int kFlow = NGHTTP2_FLOW_CONTROL_ERROR;
constexpr int kSize = NGHTTP2_FRAME_SIZE_ERROR;
constexpr int kClosed = NGHTTP2_STREAM_CLOSED;
constexpr int kCompression = NGHTTP2_COMPRESSION_ERROR;

// As HPACK wants it, without a table and without Huffman coding.
std::string Literal(const std::string& name, const std::string& value) {
  std::string text(1, '\0');
  for (const std::string* part : {&name, &value}) {
    text += static_cast<char>(part->size());
    text += *part;
  }
  return text;
}
std::string Head(const std::string& method = "GET", const std::string& more = "") {
  return Literal(":method", method) + Literal(":scheme", "https") + Literal(":authority", "weir") +
         Literal(":path", "/x") + Literal("authorization", "Bearer alices-token") + more;
}
constexpr uint8_t kEnd = NGHTTP2_FLAG_END_STREAM;
constexpr uint8_t kHeadersEnd = NGHTTP2_FLAG_END_HEADERS;
constexpr uint8_t kPadded = NGHTTP2_FLAG_PADDED;
constexpr uint8_t kPriority = NGHTTP2_FLAG_PRIORITY;

std::string HeadersOf(uint32_t stream, const std::string& block,
                      uint8_t flags = kHeadersEnd | kEnd) {
  return FrameBytes(NGHTTP2_HEADERS, flags, stream, block);
}
std::string GetX(uint32_t stream = 1) { return HeadersOf(stream, Head()); }
// A request whose body still comes.
std::string Open(uint32_t stream = 1) { return HeadersOf(stream, Head("POST"), kHeadersEnd); }
std::string Data(uint32_t stream, const std::string& text, uint8_t flags = 0) {
  return FrameBytes(NGHTTP2_DATA, flags, stream, text);
}
std::string Window(uint32_t stream, uint32_t bytes) {
  return FrameBytes(NGHTTP2_WINDOW_UPDATE, 0, stream, Number32(bytes));
}
std::string Reset(uint32_t stream) {
  return FrameBytes(NGHTTP2_RST_STREAM, 0, stream, Number32(NGHTTP2_CANCEL));
}
std::string Settings(const std::string& payload, uint8_t flags = 0, uint32_t stream = 0) {
  return FrameBytes(NGHTTP2_SETTINGS, flags, stream, payload);
}
std::string Zeros(size_t size) { return std::string(size, '\0'); }

std::vector<Rule> Rules() {
  const std::string head = Head();
  const std::string half = head.substr(0, 30);
  const std::string rest = head.substr(30);
  const auto raw = [](const std::string& more) { return HeadersOf(1, Head("GET", more)); };
  return {
      {"4.1 unknown types are ignored", End::kServed, 0,
       FrameBytes(0x77, 0xff, 0, "x") + GetX() + FrameBytes(0x77, 0, 1, "")},
      {"4.1 undefined flags are ignored", End::kServed, 0,
       FrameBytes(NGHTTP2_PING, 0xfe, 0, Zeros(8)) + HeadersOf(1, head, 0xc5)},
      {"4.1 the reserved bit is ignored", End::kServed, 0, HeadersOf(0x80000001, head)},
      {"4.2 DATA beyond the largest frame", End::kConnection, kSize,
       Open() + Data(1, Zeros(262145))},
      {"4.2 HEADERS beyond the largest frame are too much already", End::kConnection,
       NGHTTP2_ENHANCE_YOUR_CALM, HeadersOf(1, Zeros(262145))},
      {"4.3 a block that does not decode", End::kConnection, kCompression,
       HeadersOf(1, "\xff\xff\xff\xff\xff")},
      {"4.3 a frame between the parts of a block", End::kConnection, kProtocol,
       HeadersOf(1, half, kEnd) + Window(0, 1)},
      {"4.3 a stream between the parts of a block", End::kConnection, kProtocol,
       HeadersOf(1, half, kEnd) + GetX(3)},
      {"5.1 DATA of an idle stream", End::kConnection, kProtocol, Data(1, "x")},
      {"5.1 RST_STREAM of an idle stream", End::kConnection, kProtocol, Reset(1)},
      {"5.1 WINDOW_UPDATE of an idle stream", End::kConnection, kProtocol, Window(1, 1)},
      {"5.1 CONTINUATION of an idle stream", End::kConnection, kProtocol,
       FrameBytes(NGHTTP2_CONTINUATION, kHeadersEnd, 1, head)},
      {"5.1 PRIORITY of an idle stream", End::kIgnored, 0,
       FrameBytes(NGHTTP2_PRIORITY, 0, 1, Number32(0) + "\x10")},
      {"5.1 DATA after the end", End::kEither, kClosed, GetX() + Data(1, "x")},
      {"5.1 HEADERS after the end", End::kEither, kClosed, GetX() + GetX()},
      {"5.1 DATA after a reset is let pass or refused", End::kIgnored, 0,
       Open() + Reset(1) + Data(1, "x")},
      {"5.1 WINDOW_UPDATE and RST_STREAM after a reset", End::kIgnored, 0,
       Open() + Reset(1) + Window(1, 1) + Reset(1)},
      {"5.1.1 a stream of the server's", End::kConnection, kProtocol, GetX(2)},
      // It may be an old stream's: nghttp2 does not remember which there were.
      {"5.1.1 a stream before the last is passed over", End::kIgnored, 0, GetX(5) + GetX(3)},
      {"5.5 an unknown frame inside a block", End::kConnection, kProtocol,
       HeadersOf(1, half, kEnd) + FrameBytes(0x77, 0, 0, "")},
      {"6.1 DATA of no stream", End::kConnection, kProtocol, Data(0, "x")},
      {"6.1 more padding than DATA", End::kConnection, kProtocol,
       Open() + Data(1, "\x05" + Zeros(4), kPadded)},
      {"6.1 padding is no payload", End::kServed, 0,
       HeadersOf(1, Head("POST", Literal("content-length", "2")), kHeadersEnd) +
           Data(1, "\x03hi" + Zeros(3), kPadded | kEnd)},
      {"6.2 HEADERS of no stream", End::kConnection, kProtocol, HeadersOf(0, head)},
      {"6.2 more padding than HEADERS", End::kConnection, kProtocol,
       HeadersOf(1, "\x05" + Zeros(3), kHeadersEnd | kEnd | kPadded)},
      {"6.2 padding and priority", End::kServed, 0,
       HeadersOf(1, "\x02" + Number32(0) + "\x10" + head + Zeros(2),
                 kHeadersEnd | kEnd | kPadded | kPriority)},
      {"6.2 HEADERS too short for its priority", End::kConnection, kSize,
       HeadersOf(1, "\x01", kHeadersEnd | kEnd | kPriority)},
      {"6.3 PRIORITY of no stream", End::kConnection, kProtocol,
       FrameBytes(NGHTTP2_PRIORITY, 0, 0, Zeros(5))},
      {"6.3 PRIORITY of another size", End::kEither, kSize,
       Open() + FrameBytes(NGHTTP2_PRIORITY, 0, 1, Zeros(4))},
      {"6.4 RST_STREAM of no stream", End::kConnection, kProtocol, Reset(0)},
      {"6.4 RST_STREAM of another size", End::kConnection, kSize,
       Open() + FrameBytes(NGHTTP2_RST_STREAM, 0, 1, Zeros(3))},
      {"6.5 an acknowledgement that says something", End::kConnection, kSize,
       Settings(Setting(3, 1), NGHTTP2_FLAG_ACK)},
      {"6.5 SETTINGS of a stream", End::kConnection, kProtocol, Settings("", 0, 1)},
      {"6.5 SETTINGS of another size", End::kConnection, kSize, Settings(Zeros(5))},
      {"6.5.2 ENABLE_PUSH of 2", End::kConnection, kProtocol, Settings(Setting(2, 2))},
      {"6.5.2 a window too large", End::kConnection, kFlow, Settings(Setting(4, 0x80000000))},
      {"6.5.2 a frame size too small", End::kConnection, kProtocol, Settings(Setting(5, 16383))},
      {"6.5.2 a frame size too large", End::kConnection, kProtocol, Settings(Setting(5, 1 << 24))},
      {"6.5.2 unknown settings are ignored", End::kServed, 0, Settings(Setting(0x77, 1)) + GetX()},
      {"6.5.3 the last of two values counts", End::kServed, 0,
       Settings(Setting(4, 0) + Setting(4, 65535)) + GetX()},
      {"6.6 PUSH_PROMISE of a client", End::kConnection, kProtocol,
       Open() + FrameBytes(NGHTTP2_PUSH_PROMISE, kHeadersEnd, 1, Number32(2) + head)},
      {"6.7 an acknowledged PING is not answered", End::kIgnored, 0,
       FrameBytes(NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, Zeros(8))},
      {"6.7 PING of a stream", End::kConnection, kProtocol,
       FrameBytes(NGHTTP2_PING, 0, 1, Zeros(8))},
      {"6.7 PING of another size", End::kConnection, kSize,
       FrameBytes(NGHTTP2_PING, 0, 0, Zeros(7))},
      {"6.8 GOAWAY of a stream", End::kConnection, kProtocol,
       FrameBytes(NGHTTP2_GOAWAY, 0, 1, Zeros(8))},
      {"6.8 GOAWAY of another size", End::kConnection, kSize,
       FrameBytes(NGHTTP2_GOAWAY, 0, 0, Zeros(7))},
      {"6.8 streams go on after the client's GOAWAY", End::kServedLast, 0,
       Open() + FrameBytes(NGHTTP2_GOAWAY, 0, 0, Zeros(8)) + Data(1, "x", kEnd)},
      {"6.9 WINDOW_UPDATE of another size", End::kConnection, kSize,
       FrameBytes(NGHTTP2_WINDOW_UPDATE, 0, 0, Zeros(3))},
      {"6.9 nothing for the connection", End::kConnection, kProtocol, Window(0, 0)},
      {"6.9 nothing for a stream", End::kEither, kProtocol, Open() + Window(1, 0)},
      {"6.9.1 too much for the connection", End::kConnection, kFlow, Window(0, 0x7fffffff)},
      {"6.9.1 too much for a stream", End::kStream, kFlow, Open() + Window(1, 0x7fffffff)},
      {"6.9.2 too much by SETTINGS", End::kEither, kFlow,
       Open() + Window(1, 0x7fff0000) + Settings(Setting(4, 0x7fffffff))},
      {"6.10 CONTINUATION of no stream", End::kConnection, kProtocol,
       HeadersOf(1, half, kEnd) + FrameBytes(NGHTTP2_CONTINUATION, kHeadersEnd, 0, rest)},
      {"6.10 CONTINUATION of another stream", End::kConnection, kProtocol,
       HeadersOf(1, half, kEnd) + FrameBytes(NGHTTP2_CONTINUATION, kHeadersEnd, 3, rest)},
      {"6.10 CONTINUATION after the end of the block", End::kConnection, kProtocol,
       Open() + FrameBytes(NGHTTP2_CONTINUATION, kHeadersEnd, 1, "")},
      {"6.10 a block in three parts, one of them empty", End::kServed, 0,
       HeadersOf(1, half, kEnd) + FrameBytes(NGHTTP2_CONTINUATION, 0, 1, "") +
           FrameBytes(NGHTTP2_CONTINUATION, kHeadersEnd, 1, rest)},
      {"8.1 trailers that do not end the stream", End::kStream, kProtocol,
       Open() + HeadersOf(1, Literal("x", "y"), kHeadersEnd)},
      {"8.1 trailers", End::kServed, 0, Open() + Data(1, "x") + HeadersOf(1, Literal("x", "y"))},
      {"8.1 a pseudo-header in trailers", End::kStream, kProtocol,
       Open() + HeadersOf(1, Literal(":path", "/y"))},
      {"8.1 an upper-case name in trailers", End::kStream, kProtocol,
       Open() + HeadersOf(1, Literal("X", "y"))},
      {"8.2.1 LF in a value", End::kStream, kProtocol, raw(Literal("x", "a\nb"))},
      {"8.2.1 a space in a name", End::kStream, kProtocol, raw(Literal(" x", "y"))},
      // Milder than the rule, as Go's server is.
      {"8.2.1 spaces around a value", End::kServed, 0, raw(Literal("x", "  y "))},
      {"8.3.1 a pseudo-header of answers", End::kStream, kProtocol,
       HeadersOf(1, Literal(":status", "200") + head)},
      {"7541 2.3.3 index 0", End::kConnection, kCompression, raw("\x80")},
      {"7541 2.3.3 an index beyond the tables", End::kConnection, kCompression, raw("\xc6")},
      {"7541 5.1 an integer without end", End::kConnection, kCompression,
       raw("\xff\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01")},
      {"7541 5.2 a string beyond its block", End::kConnection, kCompression,
       raw(std::string("\0\x01x\x7f", 4) + "abc")},
      {"7541 5.2 padding that is no prefix of EOS", End::kConnection, kCompression,
       raw(std::string("\0\x01x\x81", 4) + "\x18")},  // "a" is 00011: padding of zeros.
      {"7541 5.2 a whole byte of padding", End::kConnection, kCompression,
       raw(std::string("\0\x01x\x82", 4) + "\x1f\xff")},
      {"7541 5.2 EOS in a string", End::kConnection, kCompression,
       raw(std::string("\0\x01x\x84", 4) + "\xff\xff\xff\xff")},
      {"7541 5.2 Huffman coding", End::kServed, 0, raw(std::string("\0\x01x\x81", 4) + "\x1f")},
      {"7541 6 each representation", End::kServed, 0,
       HeadersOf(1, std::string("\x82\x87\x84") + std::string("\x41\x04weir") +
                        Literal("authorization", "Bearer alices-token") +
                        std::string("\x40\x01x\x01y") + std::string("\x10\x01x\x01y", 5) + "\xbe")},
      {"7541 6.3 a table larger than allowed", End::kConnection, kCompression,
       HeadersOf(1, "\x3f\xe2\x1f" + head)},
      {"7541 6.3 a table as large as allowed", End::kServed, 0,
       HeadersOf(1, "\x20\x3f\xe1\x1f" + head)},
      {"7541 4.2 a new size in the middle of a block", End::kConnection, kCompression,
       raw("\x20" + Literal("x", "y"))},
  };
}

class Http2ConformanceTest : public Http2Test {
 protected:
  void Check(const Rule& rule) {
    SCOPED_TRACE(rule.name);
    ConnectHttp2();
    SendBytes(rule.bytes);
    switch (rule.end) {
      case End::kConnection:
        EXPECT_EQ(ReadToGoAway(), rule.code);
        break;
      case End::kStream:
        ReadFramesUntil([](const Frame& f) { return f.type == NGHTTP2_RST_STREAM; });
        EXPECT_EQ(answers_[1].reset, rule.code);
        ExpectAlive();
        break;
      case End::kEither:
        ReadFramesUntil([](const Frame& f) {
          return f.type == NGHTTP2_RST_STREAM || f.type == NGHTTP2_GOAWAY;
        });
        EXPECT_TRUE(answers_[1].reset == rule.code || goaway_ == rule.code)
            << answers_[1].reset << " " << goaway_;
        break;
      case End::kServed:
        EXPECT_EQ(ReadAnswer(1).body, "from upstream");
        ExpectAlive();
        break;
      case End::kServedLast:
        EXPECT_EQ(ReadAnswer(1).body, "from upstream");
        ReadToGoAway();
        break;
      case End::kIgnored:
        ExpectAlive();
        break;
    }
    Hang();
  }
};

TEST_F(Http2ConformanceTest, EveryRuleHolds) {
  for (const Rule& rule : Rules()) Check(rule);
  WaitUntil([this] { return shared_.connections.load() == 0; });
  ExpectAllOver();
}

// 3.4: SETTINGS come first.
TEST_F(Http2ConformanceTest, TheFirstFrameIsSettings) {
  ConnectHttp2();
  Hang();
  ConnectWithoutSettings();
  SendBytes(GetX());
  EXPECT_EQ(ReadToGoAway(), kProtocol);
}

// 6.5.3, 6.7: each is acknowledged, in order and once, and a PING with its own bytes.
TEST_F(Http2ConformanceTest, SettingsAndPingsAreAcknowledged) {
  ConnectHttp2();
  SendBytes(Settings("") + FrameBytes(NGHTTP2_PING, 0, 0, "abcdefgh"));
  ExpectAlive();
  int settings = 0;
  std::vector<std::string> pings;
  for (const Frame& frame : frames_) {
    if ((frame.flags & NGHTTP2_FLAG_ACK) == 0) continue;
    if (frame.type == NGHTTP2_SETTINGS) ++settings;
    if (frame.type == NGHTTP2_PING) pings.push_back(frame.payload);
  }
  EXPECT_EQ(settings, 2);
  EXPECT_THAT(pings, ::testing::ElementsAre("abcdefgh", "12345678"));
}

// 6.9.2: a lower initial window makes windows negative, and nothing is sent until they are not.
TEST_F(Http2ConformanceTest, SettingsChangeTheWindowsOfOpenStreams) {
  const std::string body(1000, 'x');
  api_server_.OnRequest([&](const ScriptedServer::Request&) { return Answer200(body); });
  ConnectHttp2(Setting(4, 100));
  SendBytes(GetX());
  while (answers_[1].body.size() < 100) ASSERT_NE(ReadFrame().type, 0xff);
  SendBytes(Settings(Setting(4, 50)) + Window(1, 40));
  ExpectAlive();
  EXPECT_EQ(answers_[1].body.size(), 100u);
  SendBytes(Window(1, 20));
  while (answers_[1].body.size() < 110) ASSERT_NE(ReadFrame().type, 0xff);
  ExpectAlive();
  EXPECT_EQ(answers_[1].body.size(), 110u);
  SendBytes(Settings(Setting(4, 5000)));
  EXPECT_EQ(ReadAnswer(1).body, body);
}

// 4.2, 6.5.2: no frame is larger than the client said.
TEST_F(Http2ConformanceTest, FramesAreAsLargeAsTheClientTakes) {
  const std::string body(200'000, 'x');
  api_server_.OnRequest([&](const ScriptedServer::Request&) { return Answer200(body); });
  ConnectHttp2(Setting(4, 1 << 20) + Setting(5, 16384));
  SendBytes(Window(0, 1 << 20) + GetX());
  EXPECT_EQ(ReadAnswer(1).body, body);
  for (const Frame& frame : frames_) EXPECT_LE(frame.payload.size(), 16384u);
}

// 7541 4.2: the encoder keeps to the table that the client allows.
TEST_F(Http2ConformanceTest, AClientWithoutATableIsServed) {
  ConnectHttp2(Setting(1, 0));
  SendBytes(GetX());
  EXPECT_EQ(ReadAnswer(1).body, "from upstream");
  SendBytes(GetX(3));
  EXPECT_EQ(ReadAnswer(3)[":status"], "200");
}

}  // namespace
}  // namespace weir
