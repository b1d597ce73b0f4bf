#include "proxy/session/forward_head.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/certificates.h"
#include "tests/proxy/session/memory_exchange.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = http::BodyFraming::Kind;

class ForwardHeadTest : public ::testing::Test {
 protected:
  ForwardHeadTest() {
    request_.method = "POST";
    request_.target = "/api/v1/pods?x=%2f";
    request_.body = {Kind::kChunked, 0};
    request_.headers.Add("Host", "weir");
    alice_.name = "alice";
    alice_.uid = "u-1";
    alice_.groups = {"dev", "", "system:authenticated"};
    alice_.extra = {{"authentication.kubernetes.io/credential-id", {"X509SHA256=ab", "second"}},
                    {"a%b c", {"v"}}};
  }

  Credentials Of(Credentials::Kind kind) const {
    Credentials credentials;
    credentials.kind = kind;
    if (kind == Credentials::Kind::kToken) credentials.token = "tok";
    if (kind == Credentials::Kind::kCertificate)
      credentials.identity = std::make_shared<Identity>(alice_);
    return credentials;
  }
  StatusOr<http::RequestHead> As(Credentials::Kind kind, const ForwardAs& as = {}) {
    Worker worker(0);
    MemoryExchange exchange(worker, request_);
    exchange.verdict.front_proxy = through_front_proxy_;
    return UpstreamHead(exchange, Of(kind), as, IdentityHeaderNames::Of(config_));
  }
  std::variant<ForwardAs, ApiError> Choose(Credentials::Kind kind, bool front_proxy) {
    UpstreamConfig upstream;
    upstream.servers = {"https://127.0.0.1:6443"};
    upstream.token = "of-weir";
    const TestCa ca("front-proxy-ca");
    const TestCertificate pair = ca.Issue({.subject = {{"CN", "front-proxy-client"}}});
    const auto reached =
        Upstream::Make(upstream, front_proxy ? pair.pem : "", front_proxy ? pair.key_pem : "");
    return ChooseCredential(request_.headers, Of(kind), config_, **reached);
  }
  static std::vector<std::string> All(const http::RequestHead& head, std::string_view name) {
    std::vector<std::string> values;
    for (const http::Header& line : head.headers.lines())
      if (http::EqualsIgnoreCase(line.name, name)) values.push_back(line.value);
    return values;
  }

  http::RequestHead request_;
  Identity alice_;
  bool through_front_proxy_ = false;
  Config config_;
};

TEST_F(ForwardHeadTest, MethodTargetAndFramingStayAsTheyAre) {
  const http::RequestHead head = As(Credentials::Kind::kNone).value();
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.target, "/api/v1/pods?x=%2f");
  EXPECT_EQ(head.body.kind, Kind::kChunked);
}

TEST_F(ForwardHeadTest, WhatAClientForgesNeverReachesUpstream) {
  for (const auto& [name, value] : std::vector<http::Header>{{"X-Remote-User", "root"},
                                                             {"x-remote-group", "system:masters"},
                                                             {"X-Remote-Extra-Scope", "all"},
                                                             {"X-Remote-Uid", "0"},
                                                             {"X-Forwarded-For", "10.0.0.1"},
                                                             {"X_Forwarded_For", "10.0.0.1"},
                                                             {"Forwarded", "for=10.0.0.1"},
                                                             {"X-Real-IP", "10.0.0.1"},
                                                             {"Proxy-Authorization", "Basic x"},
                                                             {"Connection", "X-Listed"},
                                                             {"X-Listed", "1"},
                                                             {"X_Listed", "1"},
                                                             {"Keep-Alive", "timeout=5"},
                                                             {"Upgrade", "h2c"},
                                                             {"HTTP2-Settings", "AAA"},
                                                             {"TE", "gzip"},
                                                             {"Trailer", "X"},
                                                             {"Expect", "100-continue"},
                                                             {"Transfer-Encoding", "chunked"},
                                                             {"Content-Length", "5"}}) {
    request_.headers.Add(name, value);
  }
  const http::RequestHead head = As(Credentials::Kind::kNone).value();
  std::vector<std::string> names;
  for (const http::Header& line : head.headers.lines()) names.push_back(line.name);
  EXPECT_THAT(names, ElementsAre("X-Forwarded-For", "Audit-ID"));
  EXPECT_THAT(All(head, "X-Forwarded-For"), ElementsAre("192.0.2.7"));
}

TEST_F(ForwardHeadTest, EverythingElsePassesInItsOrder) {
  for (const char* name : {"Accept", "User-Agent", "Impersonate-User", "If-Match", "Traceparent",
                           "Cookie", "Content-Type", "Accept-Encoding", "X-Custom", "X_Custom"}) {
    request_.headers.Add(name, std::string("value of ") + name);
  }
  request_.headers.Add("X-Custom", "twice");
  request_.headers.Add("TE", "trailers");
  request_.headers.Add("Audit-ID", "mine");
  const http::RequestHead head = As(Credentials::Kind::kNone).value();
  EXPECT_THAT(All(head, "Impersonate-User"), ElementsAre("value of Impersonate-User"));
  EXPECT_THAT(All(head, "X-Custom"), ElementsAre("value of X-Custom", "twice"));
  EXPECT_THAT(All(head, "X_Custom"), ElementsAre("value of X_Custom"));
  EXPECT_THAT(All(head, "TE"), ElementsAre("trailers"));
  EXPECT_THAT(All(head, "Audit-ID"), ElementsAre("mine"));
}

TEST_F(ForwardHeadTest, AnEmptyAuditIdIsReplaced) {
  request_.headers.Add("Audit-ID", "");
  const http::RequestHead head = As(Credentials::Kind::kNone).value();
  ASSERT_EQ(All(head, "Audit-ID").size(), 1u);
  EXPECT_EQ(All(head, "Audit-ID")[0].size(), 36u);
}

TEST_F(ForwardHeadTest, ATokenIsWrittenInItsCanonicalForm) {
  request_.headers.Add("authorization", "bearer  tok trailing");
  const http::RequestHead head = As(Credentials::Kind::kToken).value();
  EXPECT_THAT(All(head, "Authorization"), ElementsAre("Bearer tok"));
  EXPECT_THAT(All(head, "X-Remote-User"), IsEmpty());
}

TEST_F(ForwardHeadTest, AnonymousRequestsKeepWhatTheySaid) {
  request_.headers.Add("Authorization", "Basic eDp5");
  EXPECT_THAT(All(As(Credentials::Kind::kNone).value(), "Authorization"),
              ElementsAre("Basic eDp5"));
}

TEST_F(ForwardHeadTest, ACertificateUserIsNamedByUsAndATokenBesideItIsDropped) {
  request_.headers.Add("Authorization", "Bearer another-user");
  request_.headers.Add("X-Remote-User", "root");
  request_.headers.Add("X-Remote-Group", "system:masters");
  const http::RequestHead head = As(Credentials::Kind::kCertificate).value();
  EXPECT_THAT(All(head, "Authorization"), IsEmpty());
  EXPECT_THAT(All(head, "X-Remote-User"), ElementsAre("alice"));
  EXPECT_THAT(All(head, "X-Remote-Uid"), ElementsAre("u-1"));
  EXPECT_THAT(All(head, "X-Remote-Group"), ElementsAre("dev", "", "system:authenticated"));
  EXPECT_THAT(All(head, "X-Remote-Extra-authentication.kubernetes.io%2Fcredential-id"),
              ElementsAre("X509SHA256=ab", "second"));
  EXPECT_THAT(All(head, "X-Remote-Extra-a%25b%20c"), ElementsAre("v"));
  alice_.extra = {{"Abc", {"v"}}};
  alice_.groups.clear();
  const http::RequestHead other = As(Credentials::Kind::kCertificate).value();
  EXPECT_THAT(All(other, "X-Remote-Extra-%41bc"), ElementsAre("v")) << "names keep no capitals";
  EXPECT_THAT(All(other, "X-Remote-Group"), IsEmpty());
}

TEST_F(ForwardHeadTest, ACertificateUserIsImpersonatedUnderWeirsOwnCredential) {
  request_.headers.Add("Authorization", "Bearer another-user");
  request_.headers.Add("X-Remote-User", "root");
  const ForwardAs as{CredentialClass::kImpersonator, "Bearer of-weir"};
  const http::RequestHead head = As(Credentials::Kind::kCertificate, as).value();
  EXPECT_THAT(All(head, "Authorization"), ElementsAre("Bearer of-weir"));
  EXPECT_THAT(All(head, "X-Remote-User"), IsEmpty());
  EXPECT_THAT(All(head, "Impersonate-User"), ElementsAre("alice"));
  EXPECT_THAT(All(head, "Impersonate-Uid"), ElementsAre("u-1"));
  EXPECT_THAT(All(head, "Impersonate-Group"), ElementsAre("dev", "", "system:authenticated"));
  EXPECT_THAT(All(head, "Impersonate-Extra-authentication.kubernetes.io%2Fcredential-id"),
              ElementsAre("X509SHA256=ab", "second"));
  alice_.groups.clear();
  EXPECT_THAT(All(As(Credentials::Kind::kCertificate, as).value(), "Impersonate-Group"), IsEmpty())
      << "only system:anonymous has none, who must not be authenticated by us";
}

TEST_F(ForwardHeadTest, OnlyCertificateUsersNeedACredentialOfOurs) {
  for (const auto kind : {Credentials::Kind::kNone, Credentials::Kind::kToken}) {
    config_.forward_impersonate = true;
    const auto chosen = Choose(kind, true);
    ASSERT_TRUE(std::holds_alternative<ForwardAs>(chosen));
    EXPECT_EQ(std::get<ForwardAs>(chosen).credential, CredentialClass::kNone);
    EXPECT_EQ(std::get<ForwardAs>(chosen).authorization, "");
  }
}

TEST_F(ForwardHeadTest, TheFrontProxyComesBeforeImpersonation) {
  config_.forward_impersonate = true;
  request_.headers.Add("Impersonate-User", "bob");
  const auto chosen = Choose(Credentials::Kind::kCertificate, true);
  ASSERT_TRUE(std::holds_alternative<ForwardAs>(chosen));
  EXPECT_EQ(std::get<ForwardAs>(chosen).credential, CredentialClass::kFrontProxy);
  EXPECT_EQ(std::get<ForwardAs>(chosen).authorization, "");
}

TEST_F(ForwardHeadTest, WhoCannotBeImpersonatedIsToldWhy) {
  const auto refusal = [this] {
    const auto chosen = Choose(Credentials::Kind::kCertificate, false);
    const auto* const error = std::get_if<ApiError>(&chosen);
    return error == nullptr ? "" : std::to_string(error->code) + " " + error->message;
  };
  EXPECT_THAT(refusal(), HasSubstr("501 "));
  EXPECT_THAT(refusal(), HasSubstr("--forward-impersonate"));
  config_.forward_impersonate = true;
  EXPECT_EQ(refusal(), "");
  alice_.groups.emplace_back("system:masters");
  EXPECT_THAT(refusal(), HasSubstr("--forward-impersonate-masters"));
  config_.forward_impersonate_masters = true;
  EXPECT_EQ(refusal(), "");
  for (const char* const name : {"Impersonate-User", "impersonate-extra-scopes", "IMPERSONATE-X"}) {
    request_.headers = {};
    request_.headers.Add(name, "bob");
    EXPECT_THAT(refusal(), HasSubstr("403 "));
  }
}

TEST_F(ForwardHeadTest, AConnectionListRemovesNothingThatWeAdd) {
  request_.headers.Add("Connection", "X-Forwarded-For, Audit-ID, X-Remote-User");
  const http::RequestHead head = As(Credentials::Kind::kCertificate).value();
  EXPECT_THAT(All(head, "X-Remote-User"), ElementsAre("alice"));
  EXPECT_THAT(All(head, "X-Forwarded-For"), ElementsAre("192.0.2.7"));
  EXPECT_EQ(All(head, "Audit-ID").size(), 1u);
}

TEST_F(ForwardHeadTest, ANameThatNoHeaderCanCarryIsRefused) {
  for (const char* name : {"a\rb", "a\nX-Remote-Group: system:masters", "a\x01", "\x7f"}) {
    alice_.name = name;
    EXPECT_FALSE(As(Credentials::Kind::kCertificate).ok());
  }
  alice_.name = "tab\there, und Umlaute: \xc3\xa4";
  EXPECT_TRUE(As(Credentials::Kind::kCertificate).ok());
  alice_.name = "alice";
  alice_.groups = {std::string("nul\0", 4)};
  EXPECT_FALSE(As(Credentials::Kind::kCertificate).ok());
  alice_.groups = {};
  alice_.extra = {{"k", {"a\nb"}}};
  EXPECT_FALSE(As(Credentials::Kind::kCertificate).ok());
}

TEST_F(ForwardHeadTest, NoNameIsNobody) {
  alice_.name = "";
  EXPECT_FALSE(As(Credentials::Kind::kCertificate).ok());
  EXPECT_FALSE(As(Credentials::Kind::kCertificate, {CredentialClass::kImpersonator, ""}).ok());
}

TEST_F(ForwardHeadTest, ANameThatUpstreamWouldTrimToAnotherUserIsRefused) {
  for (const char* name : {" alice", "alice ", "\talice"}) {
    alice_.name = name;
    EXPECT_FALSE(As(Credentials::Kind::kCertificate).ok()) << '"' << name << '"';
  }
  alice_.name = "alice";
  alice_.groups = {"system:masters "};
  EXPECT_FALSE(As(Credentials::Kind::kCertificate).ok());
}

TEST(RelayedHeadTest, FramingIsOursAndTheRestIsUpstreams) {
  http::ResponseHead head;
  head.status = 200;
  head.reason = "Fine";
  head.body = {Kind::kUntilClose, 0};
  head.headers.Add("Connection", "close, X-Hop");
  head.headers.Add("X-Hop", "1");
  head.headers.Add("Content-Length", "7");
  head.headers.Add("Warning", "299 - \"a\"");
  head.headers.Add("Warning", "299 - \"b\"");
  head.headers.Add("Location", "/elsewhere");
  const http::ResponseHead relayed = RelayedHead(head);
  EXPECT_EQ(relayed.reason, "Fine");
  EXPECT_EQ(relayed.body.kind, Kind::kChunked);
  EXPECT_TRUE(relayed.keep_alive) << "upstream's connection is not the client's";
  EXPECT_EQ(relayed.headers.Count("Warning"), 2u);
  EXPECT_TRUE(relayed.headers.Has("Location"));
  for (const char* name : {"Connection", "X-Hop", "Content-Length"})
    EXPECT_FALSE(relayed.headers.Has(name)) << name;
}

TEST(RelayedHeadTest, WithoutABodyTheLengthIsInformationExceptWhereItMayNotBe) {
  for (const auto& [status, kept] :
       std::vector<std::pair<int, bool>>{{200, true}, {304, true}, {204, false}, {103, false}}) {
    http::ResponseHead head;
    head.status = status;
    head.headers.Add("Content-Length", "1234");
    EXPECT_EQ(RelayedHead(head).headers.Has("Content-Length"), kept) << status;
  }
}

TEST(LongRunningTest, WatchesLogsProxiesAndStreams) {
  const auto is = [](std::string target, std::string method = "GET") {
    http::RequestHead head;
    head.method = std::move(method);
    head.target = std::move(target);
    return IsLongRunning(head);
  };
  for (const char* target :
       {"/api/v1/pods?watch=1", "/api/v1/pods?a=b&watch", "/apis/apps/v1/deployments?watch=true",
        "/api/v1/watch/pods", "/apis/apps/v1/watch/deployments",
        "/api/v1/namespaces/a/pods/b/log?follow=1", "/api/v1/namespaces/a/pods/b/exec",
        "/api/v1/namespaces/a/services/b/proxy/x/y", "/api/v1/nodes/n/proxy/", "/debug/pprof/heap",
        "/api/v1/pods?%77atch=true", "/%61pi/v1/pods?watch=1", "/api/v1/namespaces/a/pods/b/%65xec",
        "/api/v1/namespaces%2Fa/pods/b/log", "/api/v1/namespaces/a/secrets?watch=TRUE",
        "/api/v1/namespaces?watch=yes", "/api/v1/namespaces/proxy/pods?watch=1",
        "/api/v1/namespaces/a/services/https:b:443/proxy//x", "/api/v1/proxy/nodes/n"})
    EXPECT_TRUE(is(target)) << target;
  for (const char* target : {"/api/v1/pods",
                             "/api/v1/pods?watch=0",
                             "/api/v1/pods?watch=false",
                             "/api/v1/pods?watch=False",
                             "/api/v1/pods?watch=1;",
                             "/api/v1/pods?watch=0&watch=1",
                             "/api/v1/namespaces/a/pods/b?watch=1",
                             "/api/v1/namespaces/a/configmaps/proxy",
                             "/api/v1/nodes/log",
                             "/apis/apps/v1/namespaces/a/deployments/exec/scale",
                             "/apis?watch=1",
                             "/api/v1?watch=1",
                             "/api/v1/namespaces/a/status",
                             "/api/v1/watch",
                             "/api//v1/pods?watch=1",
                             "/api/v1/namespaces/proxy/finalize",
                             "/api/v1/namespaces/log",
                             "/version",
                             "/",
                             "/debug/pprofx",
                             "/api/v1/namespaces/a/pods/b?watchful=1",
                             "/healthz"})
    EXPECT_FALSE(is(target)) << target;
  EXPECT_TRUE(is("/api/v1/namespaces/a/pods/b/exec", "POST"));
  EXPECT_TRUE(is("/api/v1/pods?watch=1", "HEAD"));
  EXPECT_FALSE(is("/api/v1/namespaces/a/pods?watch=1", "POST"));
  EXPECT_FALSE(is("/api/v1/namespaces/a/pods/log", "PUT"));
}

TEST_F(ForwardHeadTest, WhatAFrontProxySaysOfTheWayIsKept) {
  request_.headers.Add("X-Forwarded-For", "10.0.0.1, 10.0.0.2");
  request_.headers.Add("X-Forwarded-For", "10.0.0.3");
  request_.headers.Add("X-Remote-User", "of the proxy's");
  through_front_proxy_ = true;
  const auto head = As(Credentials::Kind::kCertificate, {CredentialClass::kFrontProxy, {}});
  ASSERT_TRUE(head.ok());
  EXPECT_THAT(All(*head, "X-Forwarded-For"),
              ElementsAre("10.0.0.1, 10.0.0.2, 10.0.0.3, 192.0.2.7"));
  EXPECT_THAT(All(*head, "X-Remote-User"), ElementsAre("alice"));
}

TEST_F(ForwardHeadTest, ConfiguredIdentityHeadersAreNotPassedOn) {
  config_.requestheader_username_headers = {"X-Corp-User"};
  config_.requestheader_extra_headers_prefix = {"X-Corp-Extra-"};
  request_.headers.Add("X-Corp-User", "root");
  request_.headers.Add("x-corp-extra-a", "1");
  for (const auto kind : {Credentials::Kind::kToken, Credentials::Kind::kNone}) {
    const auto head = As(kind);
    ASSERT_TRUE(head.ok());
    EXPECT_THAT(All(*head, "X-Corp-User"), IsEmpty());
    EXPECT_THAT(All(*head, "X-Corp-Extra-A"), IsEmpty());
  }
}

}  // namespace
}  // namespace weir
