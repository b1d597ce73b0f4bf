#include "protocol/k8s/read_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir {
namespace {

http::RequestHead Get(std::string target) {
  http::RequestHead head;
  head.method = "GET";
  head.target = std::move(target);
  return head;
}

ReadRequest Read(const std::string& target) {
  const auto outcome = ClassifyRead(Get(target));
  EXPECT_TRUE(std::holds_alternative<ReadRequest>(outcome)) << target;
  return std::holds_alternative<ReadRequest>(outcome) ? std::get<ReadRequest>(outcome)
                                                      : ReadRequest{};
}

std::string Forwarded(const http::RequestHead& head) {
  const auto outcome = ClassifyRead(head);
  return std::holds_alternative<ForwardReason>(outcome)
             ? std::string(ToString(std::get<ForwardReason>(outcome)))
             : "served";
}

TEST(ReadRequestTest, PathsNameResourceNamespaceAndName) {
  const ReadRequest all = Read("/api/v1/pods");
  EXPECT_EQ(all.verb, ReadVerb::kList);
  EXPECT_EQ(all.resource.CollectionPath(), "/api/v1/pods");
  const ReadRequest one = Read("/apis/apps/v1/namespaces/a/deployments/x?resourceVersion=0");
  EXPECT_EQ(one.verb, ReadVerb::kGet);
  EXPECT_EQ(one.resource.ToString(), "apps/v1/deployments");
  EXPECT_EQ(one.namespace_, "a");
  EXPECT_EQ(one.name, "x");
  EXPECT_EQ(one.resource_version, Revision{0});
}

TEST(ReadRequestTest, ANamespaceIsItsOwnScope) {
  const ReadRequest request = Read("/api/v1/namespaces/a");
  EXPECT_EQ(request.resource.resource, "namespaces");
  EXPECT_EQ(request.namespace_, "a");
  EXPECT_EQ(request.name, "a");
}

TEST(ReadRequestTest, BareWatchWatches) {
  for (const char* query : {"watch", "watch=", "watch=true", "watch=1"}) {
    EXPECT_EQ(Read(std::string("/api/v1/pods?") + query).verb, ReadVerb::kWatch) << query;
  }
  EXPECT_EQ(Read("/api/v1/pods?watch=false").verb, ReadVerb::kList);
}

TEST(ReadRequestTest, ARequiredNameIsTheRequestsName) {
  const ReadRequest request = Read("/api/v1/nodes?fieldSelector=metadata.name%3Dn1&watch=true");
  EXPECT_EQ(request.name, "n1");
  EXPECT_EQ(request.verb, ReadVerb::kWatch);
}

TEST(ReadRequestTest, ContinueTokensAndLimitsAreDecoded) {
  const ReadRequest request =
      Read("/api/v1/pods?limit=2&continue=" + ContinueToken::Encode(100, "a-b/x"));
  EXPECT_EQ(request.limit, 2);
  ASSERT_TRUE(request.continue_token.has_value());
  EXPECT_EQ(request.continue_token->revision, 100);
}

TEST(ReadRequestTest, WhateverIsNotBeyondDoubtGoesUpstream) {
  const std::pair<const char*, const char*> cases[] = {
      {"/api/v1", "path"},
      {"/api/v1/pods/", "path"},
      {"/api/v1//pods", "path"},
      {"/api/v1/%70ods", "path"},
      {"/api/v1/namespaces/../pods", "path"},
      {"/api/v1/watch/pods", "path"},
      {"/api/v1/namespaces/a/pods/x/log", "path"},
      {"/api/v1/namespaces/a/status", "path"},
      {"/api/v1/pods?limit=abc", "query"},
      {"/api/v1/pods?limit=", "query"},
      {"/api/v1/pods?limit=1&limit=2", "query"},
      {"/api/v1/pods?a=b;c=d", "query"},
      {"/api/v1/pods?labelSelector=%zz", "query"},
      {"/api/v1/pods?labelSelector=a,", "query"},
      {"/api/v1/pods?sendInitialEvents=true", "query"},
      {"/api/v1/pods?shardSelector=x", "query"},
      {"/api/v1/pods?resourceVersion=abc", "query"},
      {"/api/v1/pods?resourceVersion=01", "query"},
      {"/api/v1/pods?resourceVersionMatch=Exact", "query"},
      {"/api/v1/pods?resourceVersion=0&resourceVersionMatch=Exact", "query"},
      {"/api/v1/pods?watch&resourceVersion=5&resourceVersionMatch=NotOlderThan", "query"},
      {"/api/v1/pods?resourceVersion=5&continue=abc", "query"},
      {"/api/v1/pods?watch=maybe", "query"},
      {"/api/v1/namespaces/a/pods/x?watch=true", "query"},
      {"/api/v1/pods?timeout=abc", "query"},
      {"/api/v1/pods?pretty=true", "accept"},
      {"/api/v1/pods?fieldSelector=status.phase%3DRunning", "selector"},
      {"/api/v1/nodes?fieldSelector=spec.nodeName%3Dn", "selector"},
  };
  for (const auto& [target, reason] : cases) EXPECT_EQ(Forwarded(Get(target)), reason) << target;
}

TEST(ReadRequestTest, OnlyPlainJsonIsServed) {
  const std::pair<const char*, const char*> cases[] = {
      {"application/json", "served"},
      {"*/*", "served"},
      {"application/json, */*", "served"},
      {"application/vnd.kubernetes.protobuf,application/json", "accept"},
      {"application/json;as=Table;v=v1;g=meta.k8s.io,application/json", "accept"},
      {"application/json;pretty=1", "accept"},
      {"application/yaml", "accept"},
      {"application/*", "accept"},
      {"*", "accept"},
  };
  for (const auto& [accept, expected] : cases) {
    http::RequestHead head = Get("/api/v1/pods");
    head.headers.Add("Accept", accept);
    EXPECT_EQ(Forwarded(head), expected) << accept;
  }
}

TEST(ReadRequestTest, PeopleWithCurlGetUpstreamsIndentedOutput) {
  http::RequestHead head = Get("/api/v1/pods");
  head.headers.Add("User-Agent", "curl/8.0");
  EXPECT_EQ(Forwarded(head), "accept");
  head.target = "/api/v1/pods?watch=true";
  EXPECT_EQ(Forwarded(head), "served");
}

TEST(ReadRequestTest, ImpersonationUpgradesBodiesAndOtherMethodsAreNeverServed) {
  for (const char* name :
       {"Impersonate-User", "impersonate_user", "IMPERSONATE-Group", "Upgrade"}) {
    http::RequestHead head = Get("/api/v1/pods");
    head.headers.Add(name, "x");
    EXPECT_EQ(Forwarded(head), "headers") << name;
  }
  http::RequestHead head = Get("/api/v1/pods");
  head.method = "HEAD";
  EXPECT_EQ(Forwarded(head), "method");
  head.method = "GET";
  head.body.kind = http::BodyFraming::Kind::kChunked;
  EXPECT_EQ(Forwarded(head), "method");
}

}  // namespace
}  // namespace weir
