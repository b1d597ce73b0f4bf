#include "proxy/auth/bearer_token.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

using Kind = BearerToken::Kind;
using std::chrono::seconds;
using std::chrono::system_clock;

TEST(BearerTokenTest, TakesTheSecondWordAndIgnoresTheThird) {
  for (const char* value :
       {"Bearer abc", "bearer abc", "BEARER abc", "  Bearer abc  ", "Bearer abc def ghi"}) {
    EXPECT_EQ(ParseAuthorization(value).token, "abc") << value;
    EXPECT_EQ(ParseAuthorization(value).kind, Kind::kToken) << value;
  }
}

TEST(BearerTokenTest, HasNoOpinionWhereUpstreamHasNone) {
  for (const char* value :
       {"", "Bearer", "Bearer ", "Bearer  abc", "Bearer\tabc", "Basic abc", "abc", "Bearer: abc"}) {
    EXPECT_EQ(ParseAuthorization(value).kind, Kind::kNone) << value;
  }
}

TEST(BearerTokenTest, NeverSendsBytesThatUpstreamWouldReadDifferently) {
  for (const std::string_view value :
       {std::string_view("Bearer a\tb"), std::string_view("Bearer a\x7f"),
        std::string_view("Bearer \xc3\xa9"), std::string_view("Bearer a\0b", 10)}) {
    EXPECT_EQ(ParseAuthorization(value).kind, Kind::kInvalid);
  }
}

http::HeaderList Handshake(std::initializer_list<std::string_view> protocols) {
  http::HeaderList headers;
  headers.Add("Connection", "keep-alive, Upgrade");
  headers.Add("Upgrade", "WebSocket");
  for (const std::string_view protocol : protocols) headers.Add("Sec-WebSocket-Protocol", protocol);
  return headers;
}

TEST(WebSocketTokenTest, IsReadBesideAnotherProtocol) {
  const BearerToken token = ParseWebSocketToken(
      Handshake({"v5.channel.k8s.io, base64url.bearer.authorization.k8s.io.YWJj"}));
  EXPECT_EQ(token.kind, Kind::kToken);
  EXPECT_EQ(token.token, "abc");
}

TEST(WebSocketTokenTest, IsInertWithoutAnUpgrade) {
  http::HeaderList headers;
  headers.Add("Sec-WebSocket-Protocol", "a, base64url.bearer.authorization.k8s.io.YWJj");
  EXPECT_EQ(ParseWebSocketToken(headers).kind, Kind::kNone);
  EXPECT_EQ(ParseWebSocketToken(Handshake({"v5.channel.k8s.io"})).kind, Kind::kNone);
}

TEST(WebSocketTokenTest, IsRefusedAloneTwiceOrBroken) {
  const char* const kEntry = "base64url.bearer.authorization.k8s.io.YWJj";
  EXPECT_EQ(ParseWebSocketToken(Handshake({kEntry})).kind, Kind::kInvalid);
  EXPECT_EQ(ParseWebSocketToken(Handshake({"a", kEntry, kEntry})).kind, Kind::kInvalid);
  EXPECT_EQ(ParseWebSocketToken(Handshake({"a, base64url.bearer.authorization.k8s.io.Y=="})).kind,
            Kind::kInvalid);
  EXPECT_EQ(ParseWebSocketToken(Handshake({"a, base64url.bearer.authorization.k8s.io."})).kind,
            Kind::kInvalid);
  EXPECT_EQ(ParseWebSocketToken(Handshake({"a, base64url.bearer.authorization.k8s.io.gA"})).kind,
            Kind::kInvalid);
}

TEST(TokenExpiryTest, IsTheClaimOfAJwt) {
  // {"exp":1700000000}
  EXPECT_EQ(TokenExpiry("e30.eyJleHAiOjE3MDAwMDAwMDB9.sig"),
            system_clock::time_point(seconds(1700000000)));
  // {"exp":1e300}, {"exp":-5}
  EXPECT_EQ(TokenExpiry("e30.eyJleHAiOjFlMzAwfQ.sig"), std::nullopt);
  EXPECT_EQ(TokenExpiry("e30.eyJleHAiOi01fQ.sig"), system_clock::time_point(seconds(0)));
}

TEST(TokenExpiryTest, IsUnknownOfAnythingElse) {
  for (const char* token : {"", "abc", "a.b", "a.b.c", "a.b.c.d", "e30.e30.sig", "e30.W10.sig",
                            "e30.eyJleHAiOiIxIn0.sig", "..", "e30.!!!.sig"}) {
    EXPECT_EQ(TokenExpiry(token), std::nullopt) << token;
  }
}

}  // namespace
}  // namespace weir
