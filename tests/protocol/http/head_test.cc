#include "protocol/http/head.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <variant>
#include <vector>

#include "protocol/http/request_target.h"

namespace weir::http {
namespace {

using namespace std::string_literals;

std::variant<RequestHead, HttpError> Parse(std::string_view head, HeadLimits limits = {}) {
  return ParseRequestHead(head, limits);
}

// A request with these field lines beside Host.
std::string WithFields(std::string_view fields) {
  return "GET / HTTP/1.1\r\nHost: h\r\n" + std::string(fields) + "\r\n";
}

std::string WithTarget(std::string_view target, std::string_view method = "GET") {
  return std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: h:6443\r\n\r\n";
}

TEST(RequestHeadParserTest, AnOrdinaryRequestIsReadAsItWasSent) {
  const auto parsed = Parse(
      "POST /api/v1/namespaces/default/pods?dryRun=All HTTP/1.1\r\nHost: 10.0.0.1:6443\r\n"
      "Content-Type:application/json\r\nX-Empty:\r\nX-Pad: \t a b \t \r\nContent-Length: "
      "12\r\n\r\n");
  ASSERT_TRUE(std::holds_alternative<RequestHead>(parsed));
  const auto& head = std::get<RequestHead>(parsed);
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.target, "/api/v1/namespaces/default/pods?dryRun=All");
  EXPECT_EQ(head.minor_version, 1);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_EQ(head.headers.lines().size(), 5u);
  EXPECT_EQ(*head.headers.First("content-type"), "application/json");
  EXPECT_EQ(*head.headers.First("X-Empty"), "");
  EXPECT_EQ(*head.headers.First("X-Pad"), "a b");
  EXPECT_EQ(head.body.kind, BodyFraming::Kind::kLength);
  EXPECT_EQ(head.body.length, 12u);
}

TEST(RequestHeadParserTest, FramingFollowsTheFields) {
  const auto kind = [](std::string_view fields) {
    const auto parsed = Parse(WithFields(fields));
    return std::get<RequestHead>(parsed).body.kind;
  };
  EXPECT_EQ(kind(""), BodyFraming::Kind::kNone);
  EXPECT_EQ(kind("Content-Length: 0\r\n"), BodyFraming::Kind::kLength);
  EXPECT_EQ(kind("Content-Length: 9223372036854775807\r\n"), BodyFraming::Kind::kLength);
  EXPECT_EQ(kind("Transfer-Encoding: chunked\r\n"), BodyFraming::Kind::kChunked);
  EXPECT_EQ(kind("transfer-encoding:CHUNKED\r\n"), BodyFraming::Kind::kChunked);
}

TEST(RequestHeadParserTest, ConnectionsEndWhereTheClientOrItsVersionSaysSo) {
  const auto keep = [](std::string_view head) {
    return std::get<RequestHead>(Parse(head)).keep_alive;
  };
  EXPECT_TRUE(keep(WithFields("Connection: keep-alive\r\n")));
  EXPECT_FALSE(keep(WithFields("Connection: close\r\n")));
  EXPECT_FALSE(keep(WithFields("Connection: Upgrade, CLOSE\r\n")));
  EXPECT_FALSE(keep(WithFields("Connection: x\r\nConnection: close\r\n")));
  EXPECT_FALSE(keep("GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n"));
}

TEST(RequestTargetTest, DotSegmentsAreSeenInAnySpelling) {
  for (const char* path : {"/..", "/../x", "/a/..", "/a/../b", "/./a", "/a/.", "/%2e%2E/x", "/.%2e",
                           "/a%2f..%2Fb", "/a\\..\\b", "/a%5C..", "*", "", "a/b"})
    EXPECT_TRUE(HasDotSegments(path)) << path;
  for (const char* path :
       {"/", "/a", "/a..b/c", "/...", "/a/..b", "/.well-known/x", "/a%2Eb", "/x."})
    EXPECT_FALSE(HasDotSegments(path)) << path;
}

TEST(RequestHeadParserTest, AbsoluteFormsOfOurHostBecomeOriginForms) {
  const auto target = [](std::string_view text) {
    const auto parsed = Parse(WithTarget(text));
    return std::get<RequestHead>(parsed).target;
  };
  EXPECT_EQ(target("https://h:6443/api?x=1"), "/api?x=1");
  EXPECT_EQ(target("HTTP://H:6443/"), "/");
  EXPECT_EQ(target("//api"), "//api") << "a path, not an authority";
  EXPECT_EQ(target("/a%2Fb?c=%zz&d=a%"), "/a%2Fb?c=%zz&d=a%") << "queries are not unescaped here";
}

struct Oddity {
  std::string name;
  std::string head;
  int status;
  std::string text;
};
void PrintTo(const Oddity& oddity, std::ostream* out) { *out << oddity.name; }

class OddRequestTest : public ::testing::TestWithParam<Oddity> {};

TEST_P(OddRequestTest, IsRefusedWithTheTextOfGo) {
  const auto parsed = Parse(GetParam().head);
  ASSERT_TRUE(std::holds_alternative<HttpError>(parsed));
  const auto& error = std::get<HttpError>(parsed);
  EXPECT_EQ(error.status, GetParam().status);
  EXPECT_EQ(error.text, GetParam().text);
}

std::vector<Oddity> LineOddities() {
  const std::string bad = "400 Bad Request";
  return {
      {"LeadingCrLf", "\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400, bad},
      {"OnlyCrLf", "\r\n", 400, bad},
      {"OnlyLf", "\n", 400, bad},
      {"BareLfInFields", "GET / HTTP/1.1\r\nHost: h\nA: b\r\n\r\n", 400, bad},
      {"BareLfEverywhere", "GET / HTTP/1.1\nHost: h\n\n", 400, bad},
      {"BareCr", WithFields("A: b\rc: d\r\n"), 400, bad + ": invalid header value"},
      {"CrAtLineEnd", WithFields("A: b\r\r\n"), 400, bad + ": invalid header value"},
      {"FoldedLine", WithFields("A: b\r\n c\r\n"), 400, bad},
      {"FoldedFirstLine", "GET / HTTP/1.1\r\n Host: h\r\n\r\n", 400, bad},
      {"SpaceBeforeColon", WithFields("A : b\r\n"), 400, bad},
      {"EmptyName", WithFields(": b\r\n"), 400, bad},
      {"NoColon", WithFields("nonsense\r\n"), 400, bad},
      {"BadName", WithFields("A(b): c\r\n"), 400, bad},
      {"HighByteInName", WithFields("A\xC3: c\r\n"), 400, bad},
      {"NulInName", WithFields("A\0b: c\r\n"s), 400, bad},
      {"NulInValue", WithFields("A: b\0c\r\n"s), 400, bad + ": invalid header value"},
      {"ControlInValue", WithFields("A: b\x0b\r\n"), 400, bad + ": invalid header value"},
      {"DelInValue", WithFields("A: b\x7f\r\n"), 400, bad + ": invalid header value"},
      {"BytesBehindTheHead", WithFields("") + "x", 400, bad},
      {"TrailerThatIsALength",
       WithFields("Transfer-Encoding: chunked\r\nTrailer: X, content-length\r\n"), 400, bad},
      {"TrailerThatIsACoding",
       WithFields("Transfer-Encoding: chunked\r\nTrailer: Transfer-Encoding\r\n"), 400, bad},
      {"TrailerThatIsOne", WithFields("Transfer-Encoding: chunked\r\nTrailer: trailer\r\n"), 400,
       bad},
  };
}
INSTANTIATE_TEST_SUITE_P(Lines, OddRequestTest, testing::ValuesIn(LineOddities()),
                         [](const auto& row) { return row.param.name; });

std::vector<Oddity> RequestLineOddities() {
  const std::string bad = "400 Bad Request";
  const std::string fields = "\r\nHost: h\r\n\r\n";
  const std::string version = "505 HTTP Version Not Supported: unsupported protocol version";
  return {
      {"NoVersion", "GET /" + fields, 400, bad},
      {"Http09", "GET / HTTP/0.9" + fields, 505, version},
      {"Http20", "GET / HTTP/2.0" + fields, 505, version},
      {"Http30", "GET / HTTP/3.0" + fields, 505, version},
      {"Http12", "GET / HTTP/1.2" + fields, 505, version},
      {"Http2Preface", "PRI * HTTP/2.0\r\n\r\n", 505, version},
      {"TwoDigitVersion", "GET / HTTP/1.10" + fields, 400, bad},
      {"LowerCaseVersion", "GET / http/1.1" + fields, 400, bad},
      {"VersionWithTail", "GET / HTTP/1.1 " + fields, 400, bad},
      {"Connect", "CONNECT h:443 HTTP/1.1" + fields, 405, "405 Method Not Allowed"},
      {"LongMethod", std::string(33, 'A') + " / HTTP/1.1" + fields, 400, bad},
      {"BadMethod", "G\"T / HTTP/1.1" + fields, 400, bad},
      {"LeadingSpace", " GET / HTTP/1.1" + fields, 400, bad},
      {"DoubleSpace", "GET  / HTTP/1.1" + fields, 400, bad},
      {"TabForSpace", "GET\t/ HTTP/1.1" + fields, 400, bad},
      {"RawSpaceInTarget", WithTarget("/a b"), 400, bad},
      {"TabInTarget", WithTarget("/a\tb"), 400, bad},
      {"HighByteInTarget", WithTarget("/\xC3\xBC"), 400, bad},
      {"DelInTarget", WithTarget("/\x7f"), 400, bad},
      {"NulInTarget", WithTarget("/\0"s), 400, bad},
      {"Fragment", WithTarget("/a#b"), 400, bad},
      {"BadPercent", WithTarget("/a%zz"), 400, bad},
      {"CutPercent", WithTarget("/a%2"), 400, bad},
      {"BadPercentInAbsoluteForm", WithTarget("https://h:6443/%g0"), 400, bad},
      {"StarWithGet", WithTarget("*"), 400, bad},
      {"AuthorityForm", WithTarget("h:6443"), 400, bad},
      {"RelativePath", WithTarget("api"), 400, bad},
      {"AbsoluteFormWithoutPath", WithTarget("https://h:6443"), 400, bad},
      {"AbsoluteFormOfAQuery", WithTarget("https://h:6443?x"), 400, bad},
      {"AbsoluteFormOfAnotherHost", WithTarget("https://other/api"), 400, bad},
      {"AbsoluteFormWithUser", WithTarget("https://u@h:6443/api"), 400, bad},
      {"AbsoluteFormOfAnotherScheme", WithTarget("ftp://h:6443/api"), 400, bad},
      {"LongTarget", WithTarget("/" + std::string(16 * 1024, 'a')), 414,
       "414 Request URI Too Long"},
      {"NoHost", "GET / HTTP/1.1\r\n\r\n", 400, bad + ": missing required Host header"},
      {"TwoHosts", WithFields("host: h\r\n"), 400, bad + ": too many Host headers"},
      {"EmptyHost", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, bad + ": malformed Host header"},
      {"BadHost", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, bad + ": malformed Host header"},
      {"HostWithPath", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, bad + ": malformed Host header"},
      {"HostWithUser", "GET / HTTP/1.1\r\nHost: u@h\r\n\r\n", 400, bad + ": malformed Host header"},
  };
}
INSTANTIATE_TEST_SUITE_P(RequestLine, OddRequestTest, testing::ValuesIn(RequestLineOddities()),
                         [](const auto& row) { return row.param.name; });

std::vector<Oddity> FramingOddities() {
  const std::string bad = "400 Bad Request";
  const std::string coding = "Unsupported transfer encoding";
  return {
      {"LengthAndCoding", WithFields("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400,
       bad},
      {"CodingAndLength", WithFields("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 400,
       bad},
      {"EqualLengthsTwice", WithFields("Content-Length: 5\r\nContent-Length: 5\r\n"), 400, bad},
      {"DifferingLengths", WithFields("Content-Length: 5\r\nContent-Length: 6\r\n"), 400, bad},
      {"ListedLengths", WithFields("Content-Length: 5, 5\r\n"), 400, bad},
      {"PlusLength", WithFields("Content-Length: +5\r\n"), 400, bad},
      {"MinusLength", WithFields("Content-Length: -5\r\n"), 400, bad},
      {"HexLength", WithFields("Content-Length: 0x5\r\n"), 400, bad},
      {"EmptyLength", WithFields("Content-Length:\r\n"), 400, bad},
      {"SpacedLength", WithFields("Content-Length: 1 0\r\n"), 400, bad},
      {"HugeLength", WithFields("Content-Length: 9223372036854775808\r\n"), 400, bad},
      {"OverflowingLength", WithFields("Content-Length: 18446744073709551621\r\n"), 400, bad},
      {"Identity", WithFields("Transfer-Encoding: identity\r\n"), 501, coding},
      {"GzipChunked", WithFields("Transfer-Encoding: gzip, chunked\r\n"), 501, coding},
      {"ChunkedTwice", WithFields("Transfer-Encoding: chunked, chunked\r\n"), 501, coding},
      {"ChunkedOnTwoLines",
       WithFields("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 501, coding},
      {"Xchunked", WithFields("Transfer-Encoding: xchunked\r\n"), 501, coding},
      {"EmptyCoding", WithFields("Transfer-Encoding:\r\n"), 501, coding},
      {"TabbedCoding", WithFields("Transfer-Encoding:\tchunked\r\n"), 501, coding},
      {"VerticalTabCoding",
       WithFields("Transfer-Encoding: \x0b"
                  "chunked\r\n"),
       400, bad + ": invalid header value"},
      {"NulCoding", WithFields("Transfer-Encoding: chunked\0\r\n"s), 400,
       bad + ": invalid header value"},
      {"QuotedCoding", WithFields("Transfer-Encoding: \"chunked\"\r\n"), 501, coding},
      {"CodingWithParameter", WithFields("Transfer-Encoding: chunked;q=1\r\n"), 501, coding},
      {"CodingInHttp10", "GET / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
       bad},
  };
}
INSTANTIATE_TEST_SUITE_P(Framing, OddRequestTest, testing::ValuesIn(FramingOddities()),
                         [](const auto& row) { return row.param.name; });

TEST(RequestHeadParserTest, HarmlessOdditiesAreServed) {
  for (const std::string& head : {
           WithFields("A: \xC3\xBC\xFF\r\n"),
           WithFields("A_b: c\r\n"),
           WithTarget("*", "OPTIONS"),
           WithTarget("/", std::string(32, 'M')),
           WithTarget("/a?b={\"c\"}|^`"),
           "GET / HTTP/1.0\r\nHost: [::1]:6443\r\n\r\n"s,
       }) {
    const auto parsed = Parse(head);
    EXPECT_TRUE(std::holds_alternative<RequestHead>(parsed)) << head;
  }
}

TEST(RequestHeadParserTest, LimitsAreInclusive) {
  HeadLimits limits{.max_head_bytes = 64, .max_target_bytes = 10, .max_fields = 3};
  const auto status = [&](std::string_view head) {
    const auto parsed = Parse(head, limits);
    const auto* error = std::get_if<HttpError>(&parsed);
    return error != nullptr ? error->status : 200;
  };
  EXPECT_EQ(status("GET /123456789 HTTP/1.1\r\nHost: h\r\n\r\n"), 200);
  EXPECT_EQ(status("GET /1234567890 HTTP/1.1\r\nHost: h\r\n\r\n"), 414);
  EXPECT_EQ(status(WithFields("A:\r\nB:\r\n")), 200);
  EXPECT_EQ(status(WithFields("A:\r\nB:\r\nC:\r\n")), 431);
  const std::string longest = WithFields("A: " + std::string(64 - 32, 'x') + "\r\n");
  ASSERT_EQ(longest.size(), 64u);
  EXPECT_EQ(status(longest), 200);
  EXPECT_EQ(status(WithFields("A: " + std::string(64 - 31, 'x') + "\r\n")), 431);
}

TEST(RequestHeadParserTest, DefaultLimitsLeaveRoomForBigTokensAndManyFields) {
  std::string fields = "Authorization: Bearer " + std::string(60'000, 't') + "\r\n";
  const auto big = Parse(WithFields(fields));
  EXPECT_TRUE(std::holds_alternative<RequestHead>(big));
  fields.clear();
  for (int i = 0; i < 255; ++i) fields += "A: b\r\n";
  const auto many = Parse(WithFields(fields));
  ASSERT_TRUE(std::holds_alternative<RequestHead>(many));
  EXPECT_EQ(std::get<RequestHead>(many).headers.lines().size(), 256u);
  const auto too_many = Parse(WithFields(fields + "A: b\r\n"));
  ASSERT_TRUE(std::holds_alternative<HttpError>(too_many));
  EXPECT_EQ(std::get<HttpError>(too_many).text, "431 Request Header Fields Too Large");
}

TEST(HeadEndTest, TheHeadEndsWithItsEmptyLine) {
  EXPECT_EQ(FindHeadEnd("GET / HTTP/1.1\r\nA: b\r\n\r\nbody"), 24u);
  EXPECT_EQ(FindHeadEnd("GET / HTTP/1.1\r\nA: b\r\n\r"), std::nullopt);
  EXPECT_EQ(FindHeadEnd(""), std::nullopt);
}

TEST(HeadEndTest, HeadsThatWillBeRefusedEndAtOnce) {
  EXPECT_EQ(FindHeadEnd("\r\nGET"), 2u);
  EXPECT_EQ(FindHeadEnd("GET / HTTP/1.1\nA: b\n\nbody"), 21u);
  EXPECT_EQ(FindHeadEnd("GET / HTTP/1.1\nA: b\n\r\n"), 22u);
}

TEST(HeadEndTest, AGrowingBufferIsSearchedOnlyAtItsEnd) {
  const std::string head = "GET / HTTP/1.1\r\nA: b\r\n\r\n";
  for (size_t had = 0; had < head.size(); ++had) {
    EXPECT_EQ(FindHeadEnd(std::string_view(head).substr(0, had), had > 0 ? had - 1 : 0),
              std::nullopt);
    EXPECT_EQ(FindHeadEnd(head, had), head.size()) << had;
  }
}

ResponseHead Answer(std::string_view head, std::string_view method = "GET") {
  auto parsed = ParseResponseHead(head, method);
  EXPECT_TRUE(std::holds_alternative<ResponseHead>(parsed)) << std::get<HttpError>(parsed).text;
  return std::get<ResponseHead>(std::move(parsed));
}

TEST(ResponseHeadParserTest, AnOrdinaryAnswerIsReadAsItWasSent) {
  const ResponseHead head =
      Answer("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.reason, "OK");
  EXPECT_EQ(head.body.kind, BodyFraming::Kind::kLength);
  EXPECT_EQ(head.body.length, 7u);
  EXPECT_TRUE(head.keep_alive);
}

TEST(ResponseHeadParserTest, BodiesEndAsTheFieldsSayOrWithTheConnection) {
  EXPECT_EQ(Answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").body.kind,
            BodyFraming::Kind::kChunked);
  const ResponseHead endless = Answer("HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(endless.body.kind, BodyFraming::Kind::kUntilClose);
  EXPECT_FALSE(endless.keep_alive);
  EXPECT_FALSE(
      Answer("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n").keep_alive);
  EXPECT_FALSE(Answer("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n").keep_alive);
}

TEST(ResponseHeadParserTest, SomeAnswersHaveNoBodyWhateverTheirFieldsSay) {
  EXPECT_EQ(Answer("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", "HEAD").body.kind,
            BodyFraming::Kind::kNone);
  EXPECT_EQ(Answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HEAD").body.kind,
            BodyFraming::Kind::kNone);
  EXPECT_EQ(Answer("HTTP/1.1 200 OK\r\n\r\n", "HEAD").keep_alive, true);
  EXPECT_EQ(Answer("HTTP/1.1 204 No Content\r\n\r\n").body.kind, BodyFraming::Kind::kNone);
  EXPECT_EQ(Answer("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n").body.kind,
            BodyFraming::Kind::kNone);
  EXPECT_EQ(Answer("HTTP/1.1 100 Continue\r\n\r\n").body.kind, BodyFraming::Kind::kNone);
  EXPECT_EQ(
      Answer(
          "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
          .body.kind,
      BodyFraming::Kind::kNone);
}

TEST(ResponseHeadParserTest, OddReasonsAreHarmless) {
  EXPECT_EQ(Answer("HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n").reason, "");
  EXPECT_EQ(Answer("HTTP/1.1 799 status code 799\r\nContent-Length: 0\r\n\r\n").status, 799);
}

TEST(ResponseHeadParserTest, DoubtfulAnswersAreRefused) {
  for (const std::string& head : {
           "HTTP/2.0 200 OK\r\n\r\n"s,
           "HTTP/1.1 20 OK\r\n\r\n"s,
           "HTTP/1.1 2000 OK\r\n\r\n"s,
           "HTTP/1.1 099 OK\r\n\r\n"s,
           "HTTP/1.1  200 OK\r\n\r\n"s,
           "ICY 200 OK\r\n\r\n"s,
           "\r\n"s,
           "HTTP/1.1 200 O\x01K\r\n\r\n"s,
           "HTTP/1.1 200 OK\nA: b\n\n"s,
           "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n"s,
           "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n"s,
           "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"s,
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"s,
           "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"s,
           "HTTP/1.1 200 OK\r\nA: " + std::string(300'000, 'x') + "\r\n\r\n",
       }) {
    const auto parsed = ParseResponseHead(head, "GET");
    ASSERT_TRUE(std::holds_alternative<HttpError>(parsed)) << head.substr(0, 60);
    EXPECT_EQ(std::get<HttpError>(parsed).status, 502);
    EXPECT_THAT(std::get<HttpError>(parsed).text, testing::StartsWith("malformed HTTP response: "));
  }
}

TEST(HeadWriterTest, RequestsGoOutInOurOwnVersion) {
  RequestHead head;
  head.method = "GET";
  head.target = "/api";
  head.minor_version = 0;
  head.headers.Add("Host", "h");
  std::string out;
  AppendRequestHead(head, out);
  EXPECT_EQ(out, "GET /api HTTP/1.1\r\nHost: h\r\n\r\n");
}

TEST(HeadWriterTest, AnswersGetTheStandardReasonWhereTheyHaveNone) {
  ResponseHead head;
  head.status = 410;
  std::string out;
  AppendResponseHead(head, out);
  EXPECT_EQ(out, "HTTP/1.1 410 Gone\r\n\r\n");
  out.clear();
  head.status = 799;
  head.minor_version = 0;
  AppendResponseHead(head, out);
  EXPECT_EQ(out, "HTTP/1.0 799 status code 799\r\n\r\n");
}

TEST(HeadWriterTest, ValuesCannotEndTheirLine) {
  ResponseHead head;
  head.status = 200;
  head.headers.Add("Warning", "299 - \"a\r\nSet-Cookie: b\"");
  std::string out;
  AppendResponseHead(head, out);
  EXPECT_EQ(out, "HTTP/1.1 200 OK\r\nWarning: 299 - \"a  Set-Cookie: b\"\r\n\r\n");
}

TEST(HeadWriterTest, WhatIsWrittenParsesToTheSame) {
  const std::string wire = "PATCH /a?b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n";
  std::string out;
  AppendRequestHead(std::get<RequestHead>(Parse(wire)), out);
  EXPECT_EQ(out, wire);
}

}  // namespace
}  // namespace weir::http
