#include "proxy/session/identity_headers.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

const IdentityHeaderNames kOwn = IdentityHeaderNames::Of(Config());

http::HeaderList Of(std::vector<http::Header> lines) {
  http::HeaderList headers;
  headers.lines() = std::move(lines);
  return headers;
}

TEST(IdentityHeadersTest, OrdinaryHeadersAreFine) {
  EXPECT_EQ(RefusedHeaders(Of({{"Authorization", "Bearer x"},
                               {"Impersonate-User", "bob"},
                               {"X-Remote-User", "forged"},
                               {"X_Custom", "1"},
                               {"Connection", "keep-alive, X-Custom"}}),
                           kOwn),
            "");
}

TEST(IdentityHeadersTest, BlanksAroundWhomARequestImpersonatesAreRefused) {
  EXPECT_NE(RefusedHeaders(Of({{"Impersonate-User", " bob"}}), kOwn), "");
  EXPECT_EQ(RefusedHeaders(Of({{"Authorization", "Bearer x "}, {"X", " y"}}), kOwn), "");
  EXPECT_TRUE(NamesSomebody("X-Remote-User", kOwn));
  EXPECT_TRUE(NamesSomebody("impersonate-group", kOwn));
  EXPECT_FALSE(NamesSomebody("authorization", kOwn)) << "upstream trims it";
  EXPECT_FALSE(NamesSomebody("accept", kOwn));
}

TEST(IdentityHeadersTest, TwoAuthorizationLinesAreRefused) {
  EXPECT_NE(RefusedHeaders(Of({{"Authorization", "a"}, {"authorization", "a"}}), kOwn), "");
}

TEST(IdentityHeadersTest, UnderscoresInIdentityNamesAreRefused) {
  for (const char* name : {"X_Remote_User", "x-remote_group", "X_REMOTE-EXTRA-foo",
                           "Impersonate_User", "impersonate_Extra-x", "X_Remote-Uid"}) {
    EXPECT_NE(RefusedHeaders(Of({{name, "root"}}), kOwn), "") << name;
  }
}

TEST(IdentityHeadersTest, ConfiguredNamesCountAsIdentitiesInAnySpelling) {
  Config config;
  config.requestheader_username_headers = {"X-Remote-User", "X-Corp-User"};
  config.requestheader_uid_headers = {"X-Corp-Uid"};
  config.requestheader_group_headers = {"X-Corp-Group"};
  config.requestheader_extra_headers_prefix = {"X-Corp-Extra-"};
  const IdentityHeaderNames own = IdentityHeaderNames::Of(config);
  for (const char* name : {"x-corp-user", "X-CORP-UID", "X-Corp-Group", "X-Corp-Extra-a",
                           "X-Remote-Group", "X-Remote-Extra-b"}) {
    EXPECT_TRUE(IsStrippedFromRequests({}, name, own)) << name;
    EXPECT_EQ(RefusedHeaders(Of({{name, "root"}}), own), "") << name;
    EXPECT_NE(RefusedHeaders(Of({{"Connection", name}}), own), "") << name;
  }
  EXPECT_NE(RefusedHeaders(Of({{"X_Corp-User", "root"}}), own), "");
  EXPECT_NE(RefusedHeaders(Of({{"x-corp_extra-a", "root"}}), own), "");
  EXPECT_FALSE(IsStrippedFromRequests({}, "X-Corp-Users", own));
  EXPECT_FALSE(IsStrippedFromRequests({}, "X-Corp-User", kOwn));
}

TEST(IdentityHeadersTest, AConnectionLineMayNotListAnIdentity) {
  for (const char* option :
       {"X-Remote-User", "close, Authorization", "a,\tIMPERSONATE-user ,b", "x_remote_group"}) {
    EXPECT_NE(RefusedHeaders(Of({{"Connection", option}}), kOwn), "") << option;
    EXPECT_NE(RefusedHeaders(Of({{"Connection", "close"}, {"connection", option}}), kOwn), "")
        << option;
  }
}

TEST(IdentityHeadersTest, HopByHopForgedAndListedNamesEndHere) {
  const http::HeaderList headers =
      Of({{"Connection", "close, X-Hop"}, {"connection", "Other-Hop"}});
  for (const char* name : {"Connection",
                           "Keep-Alive",
                           "Proxy-Connection",
                           "TE",
                           "Trailer",
                           "Transfer-Encoding",
                           "Upgrade",
                           "HTTP2-Settings",
                           "Expect",
                           "Host",
                           "Content-Length",
                           "X-Remote-User",
                           "x_remote_user",
                           "X-Remote-Anything",
                           "X-Remote-Extra-Foo",
                           "Forwarded",
                           "X-Forwarded-For",
                           "X_Forwarded_Host",
                           "X-Real-Ip",
                           "X_Real_IP",
                           "Proxy-Authorization",
                           "proxy_x",
                           "keep_alive",
                           "X-Hop",
                           "x_hop",
                           "OTHER-HOP"}) {
    EXPECT_TRUE(IsStrippedFromRequests(headers, name, kOwn)) << name;
  }
  for (const char* name : {"Authorization", "Impersonate-User", "Accept", "User-Agent",
                           "X-Remotely", "Content-Type", "Audit-ID", "Traceparent", "Cookie"}) {
    EXPECT_FALSE(IsStrippedFromRequests(headers, name, kOwn)) << name;
  }
}

TEST(IdentityHeadersTest, WhatSaysWhoAsksIsKeptAndNothingElse) {
  Config config;
  config.requestheader_uid_headers = {"X-Custom-Uid"};
  const http::HeaderList kept = CredentialLines(Of({{"Host", "h"},
                                                    {"authorization", "Bearer x"},
                                                    {"User-Agent", "kubelet"},
                                                    {"X-Remote-User", " a"},
                                                    {"x-remote-group", "g"},
                                                    {"X-Remote-Group", "h"},
                                                    {"X-Remote-Extra-Scopes", "s"},
                                                    {"X-Custom-Uid", "7"},
                                                    {"Accept", "application/json"}}),
                                                IdentityHeaderNames::Of(config));
  EXPECT_EQ(kept, Of({{"authorization", "Bearer x"},
                      {"X-Remote-User", " a"},
                      {"x-remote-group", "g"},
                      {"X-Remote-Group", "h"},
                      {"X-Remote-Extra-Scopes", "s"},
                      {"X-Custom-Uid", "7"}}));
  EXPECT_TRUE(CredentialLines(Of({{"Host", "h"}, {"Accept", "*/*"}}), kOwn).lines().empty());
}

TEST(IdentityHeadersTest, ResponsesLoseOnlyHopByHopFields) {
  const http::HeaderList headers = Of({{"Connection", "X-Hop"}});
  for (const char* name : {"Connection", "Transfer-Encoding", "Keep-Alive", "Upgrade", "x-hop"})
    EXPECT_TRUE(IsStrippedFromResponses(headers, name)) << name;
  for (const char* name : {"Content-Length", "Warning", "Audit-Id", "Retry-After", "X-Remote-User"})
    EXPECT_FALSE(IsStrippedFromResponses(headers, name)) << name;
}

TEST(IdentityHeadersTest, AnUpgradeNeedsBothHeaders) {
  const auto requested = [](http::HeaderList headers, int minor_version = 1) {
    http::RequestHead request;
    request.headers = std::move(headers);
    request.minor_version = minor_version;
    return RequestedUpgrade(request);
  };
  EXPECT_EQ(requested(Of({{"Upgrade", "spdy/3.1"}, {"Connection", "Upgrade"}})), "SPDY/3.1");
  EXPECT_EQ(requested(Of({{"Upgrade", "WebSocket"}, {"Connection", "close, UPGRADE"}})),
            "websocket");
  EXPECT_EQ(requested(Of({{"Upgrade", "websocket"}})), std::nullopt);
  EXPECT_EQ(requested(Of({{"Connection", "Upgrade"}})), std::nullopt);
  EXPECT_EQ(requested(Of({{"Upgrade", "h2c"}, {"Connection", "Upgrade"}})), std::nullopt);
  EXPECT_EQ(requested(Of({{"Upgrade", "websocket, h2c"}, {"Connection", "Upgrade"}})),
            std::nullopt);
  EXPECT_EQ(requested(Of({{"Upgrade", "websocket"}, {"Upgrade", "x"}, {"Connection", "Upgrade"}})),
            std::nullopt)
      << "one thing, and only one";
  EXPECT_EQ(requested(Of({{"Upgrade", "websocket"}, {"Connection", "Upgrade"}}), 0), std::nullopt);
}

}  // namespace
}  // namespace weir
