#include "protocol/k8s/read_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir {
namespace {

using namespace std::chrono_literals;
using Match = ReadRequest::Match;

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

// "served", or why not.
std::string Outcome(const http::RequestHead& head) {
  const auto outcome = ClassifyRead(head);
  return std::holds_alternative<ForwardReason>(outcome)
             ? std::string(ToString(std::get<ForwardReason>(outcome)))
             : "served";
}
std::string OutcomeOf(std::string_view query) {
  return Outcome(Get("/api/v1/pods?" + std::string(query)));
}

TEST(ReadRequestTest, PathsNameResourceNamespaceAndName) {
  struct Case {
    const char* path;
    ReadVerb verb;
    const char* resource;
    const char* space;
    const char* name;
  };
  const Case cases[] = {
      {"/api/v1/pods", ReadVerb::kList, "v1/pods", "", ""},
      {"/api/v1/namespaces/a/pods", ReadVerb::kList, "v1/pods", "a", ""},
      {"/api/v1/namespaces/a/pods/x", ReadVerb::kGet, "v1/pods", "a", "x"},
      {"/api/v1/nodes/n1", ReadVerb::kGet, "v1/nodes", "", "n1"},
      {"/api/v1/namespaces", ReadVerb::kList, "v1/namespaces", "", ""},
      {"/api/v1/namespaces/a", ReadVerb::kGet, "v1/namespaces", "a", "a"},
      {"/apis/apps/v1/deployments", ReadVerb::kList, "apps/v1/deployments", "", ""},
      {"/apis/apps/v1/namespaces/a/deployments/x", ReadVerb::kGet, "apps/v1/deployments", "a", "x"},
      {"/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node", ReadVerb::kGet,
       "rbac.authorization.k8s.io/v1/clusterroles", "", "system:node"},
  };
  for (const Case& c : cases) {
    const ReadRequest request = Read(c.path);
    EXPECT_EQ(request.verb, c.verb) << c.path;
    EXPECT_EQ(request.resource.ToString(), c.resource) << c.path;
    EXPECT_EQ(request.namespace_, c.space) << c.path;
    EXPECT_EQ(request.name, c.name) << c.path;
  }
}

TEST(ReadRequestTest, OtherPathsAreForwarded) {
  for (const char* path : {"",
                           "*",
                           "/",
                           "/api",
                           "/api/v1",
                           "/apis",
                           "/apis/apps",
                           "/apis/apps/v1",
                           "/healthz",
                           "/version",
                           "/openapi/v3",
                           "/api/v1/pods/",
                           "/api/v1//pods",
                           "//api/v1/pods",
                           "/api/v1/namespaces//pods",
                           "/api/v1/namespaces/",
                           "/api/v1/%70ods",
                           "/api%2Fv1/pods",
                           "/api/v1/namespaces/a%2Fpods",
                           "/api/v1/namespaces/../pods",
                           "/api/v1/namespaces/a/pods/..",
                           "/api/v1/namespaces/a/pods/.",
                           "/api/v1/watch",
                           "/api/v1/watch/pods",
                           "/api/v1/watch/namespaces/a/pods",
                           "/api/v1/proxy/nodes/n",
                           "/api/v1/pods/x/log",
                           "/api/v1/namespaces/a/pods/x/log",
                           "/api/v1/namespaces/a/pods/x/exec/more",
                           "/api/v1/nodes/n/status",
                           "/api/v1/namespaces/a/status",
                           "/api/v1/namespaces/a/finalize",
                           "/api/v1/namespaces/a/status/x",
                           "/api/v1/namespaces/a/namespaces",
                           "/api/v1/namespaces/a/namespaces/b",
                           "/api/v1/pods;x",
                           "/api/v1/pods/a,b",
                           "/api/v1/pods/a b",
                           "/api/v1/pods/\xc3\xa9",
                           "http://host/api/v1/pods",
                           "api/v1/pods"}) {
    EXPECT_EQ(Outcome(Get(path)), "path") << path;
  }
}

TEST(ReadRequestTest, WatchFollowsTheForms) {
  for (const char* query : {"watch", "watch=", "watch=true", "watch=1", "watch=TRUE"}) {
    EXPECT_EQ(Read(std::string("/api/v1/pods?") + query).verb, ReadVerb::kWatch) << query;
  }
  for (const char* query : {"", "watch=false", "watch=0", "watch=FALSE"}) {
    EXPECT_EQ(Read(std::string("/api/v1/pods?") + query).verb, ReadVerb::kList) << query;
  }
  for (const char* query : {"watch=no", "watch=maybe", "watch=+1", "watch=false&watch=true"}) {
    EXPECT_EQ(OutcomeOf(query), "query") << query;
  }
}

TEST(ReadRequestTest, ListOptionsAreDecoded) {
  const ReadRequest request = Read(
      "/api/v1/namespaces/a/pods?labelSelector=app+in+(b,c)&fieldSelector=spec.nodeName%3Dn1"
      "&resourceVersion=95&resourceVersionMatch=NotOlderThan&limit=7&timeout=1m30s"
      "&timeoutSeconds=9&allowWatchBookmarks=true&pretty=false");
  EXPECT_EQ(request.label_selector.Canonical(), "app in (b,c)");
  EXPECT_EQ(request.field_selector.RequiredValue("spec.nodeName"), "n1");
  EXPECT_EQ(request.resource_version, Revision{95});
  EXPECT_EQ(request.match, Match::kNotOlderThan);
  EXPECT_EQ(request.limit, 7);
  EXPECT_EQ(request.timeout, 90s);
  EXPECT_EQ(request.name, "");
}

TEST(ReadRequestTest, WatchOptionsAreDecoded) {
  const ReadRequest request = Read(
      "/api/v1/pods?watch=1&resourceVersion=95&timeoutSeconds=300&allowWatchBookmarks&limit=500"
      "&timeout=ignored");
  EXPECT_EQ(request.verb, ReadVerb::kWatch);
  EXPECT_EQ(request.resource_version, Revision{95});
  EXPECT_EQ(request.timeout_seconds, 300);
  EXPECT_TRUE(request.allow_watch_bookmarks);
  EXPECT_EQ(request.timeout, 0s);
}

TEST(ReadRequestTest, EmptySettingsAreUnset) {
  const ReadRequest request = Read(
      "/api/v1/pods?labelSelector=&fieldSelector=&resourceVersion=&resourceVersionMatch="
      "&continue=&timeout=&pretty=");
  EXPECT_TRUE(request.label_selector.empty());
  EXPECT_TRUE(request.field_selector.empty());
  EXPECT_EQ(request.resource_version, std::nullopt);
  EXPECT_EQ(request.match, Match::kUnset);
  EXPECT_FALSE(request.continue_token.has_value());
}

TEST(ReadRequestTest, RevisionZeroIsSet) {
  EXPECT_EQ(Read("/api/v1/pods?resourceVersion=0").resource_version, Revision{0});
  EXPECT_EQ(Read("/api/v1/pods?resourceVersion=18446744073709551615").resource_version,
            Revision{UINT64_MAX});
  EXPECT_EQ(Read("/api/v1/pods?resourceVersion=5&resourceVersionMatch=Exact").match, Match::kExact);
}

TEST(ReadRequestTest, LimitsThatAreNotPositiveAreNoError) {
  EXPECT_EQ(Read("/api/v1/pods?limit=-5&resourceVersion=0").limit, -5);
  EXPECT_EQ(Read("/api/v1/pods?limit=0").limit, 0);
}

TEST(ReadRequestTest, ContinueTokensAreDecoded) {
  const ReadRequest request =
      Read("/api/v1/pods?limit=2&continue=" + ContinueToken::Encode(100, "a-b/x"));
  EXPECT_EQ(request.limit, 2);
  ASSERT_TRUE(request.continue_token.has_value());
  EXPECT_EQ(request.continue_token->revision, 100);
  EXPECT_EQ(request.continue_token->start_key, std::string("a-b/x\0", 6));
}

TEST(ReadRequestTest, GetTakesARevisionAndATimeout) {
  const ReadRequest request = Read("/api/v1/nodes/n1?resourceVersion=7&timeout=5s");
  EXPECT_EQ(request.resource_version, Revision{7});
  EXPECT_EQ(request.timeout, 5s);
  EXPECT_EQ(Read("/api/v1/nodes/n1").resource_version, std::nullopt);
  for (const char* query : {"watch=1", "watch=false", "limit=1", "resourceVersionMatch=Exact",
                            "labelSelector=a", "fieldSelector=", "continue=x", "export=true",
                            "resourceVersion=abc", "timeout=x", "timeoutSeconds=1"}) {
    EXPECT_EQ(Outcome(Get(std::string("/api/v1/nodes/n1?") + query)), "query") << query;
  }
}

TEST(ReadRequestTest, NegativeTimeoutsAreUnset) {
  EXPECT_EQ(Read("/api/v1/pods?timeout=-5s").timeout, 0s);
  EXPECT_EQ(Read("/api/v1/pods?timeout=0").timeout, 0s);
}

TEST(ReadRequestTest, WhatUpstreamHasWordsForIsForwarded) {
  for (const char* query : {"limit=abc",
                            "limit=",
                            "limit=%2B5",
                            "limit=99999999999999999999",
                            "limit=1&limit=1",
                            "timeoutSeconds=x",
                            "timeoutSeconds=",
                            "timeoutSeconds=-1",
                            "timeoutSeconds=9223372036854775807",
                            "watch&limit=abc",
                            "resourceVersion=abc",
                            "resourceVersion=-1",
                            "resourceVersion=01",
                            "resourceVersion=00",
                            "resourceVersion=%2B1",
                            "resourceVersion=18446744073709551616",
                            "resourceVersion=1.0",
                            "watch&resourceVersion=abc",
                            "resourceVersionMatch=Exact",
                            "resourceVersionMatch=NotOlderThan",
                            "resourceVersionMatch=foo",
                            "resourceVersion=5&resourceVersionMatch=foo",
                            "resourceVersion=5&resourceVersionMatch=exact",
                            "resourceVersion=0&resourceVersionMatch=Exact",
                            "watch&resourceVersion=5&resourceVersionMatch=NotOlderThan",
                            "watch&resourceVersion=5&resourceVersionMatch=Exact",
                            "watch&resourceVersionMatch=foo",
                            "labelSelector=a,",
                            "labelSelector=a%3D-b",
                            "labelSelector=%zz",
                            "labelSelector=a%3Db&labelSelector=a%3Dc",
                            "fieldSelector=foo",
                            "fieldSelector=metadata.name%3Da%3Db",
                            "continue=abc!",
                            "continue=e30",
                            "timeout=abc",
                            "timeout=5",
                            "allowWatchBookmarks=maybe",
                            "a=1;b=2",
                            "x",
                            "=",
                            "Limit=1",
                            "%00=1",
                            "sendInitialEvents",
                            "sendInitialEvents=false",
                            "sendInitialEvents=",
                            "includeObject=Metadata",
                            "shardSelector=x",
                            "export=true",
                            "dryRun=All"}) {
    EXPECT_EQ(OutcomeOf(query), "query") << query;
  }
}

TEST(ReadRequestTest, InitialEventsGoWithTheirMatch) {
  const std::string match = "&resourceVersionMatch=NotOlderThan";
  for (const char* value : {"sendInitialEvents=true", "sendInitialEvents=1", "sendInitialEvents",
                            "sendInitialEvents=false"}) {
    const std::string query = "watch=1&resourceVersion=7&" + std::string(value);
    EXPECT_EQ(OutcomeOf(query + match), "served") << query;
    EXPECT_EQ(OutcomeOf(query), "query") << query;
    EXPECT_EQ(OutcomeOf(query + "&resourceVersionMatch=Exact"), "query") << query;
    EXPECT_EQ(OutcomeOf(std::string(value) + match), "query") << "on a LIST";
  }
  EXPECT_EQ(OutcomeOf("watch=1&resourceVersion=7" + match), "query");
  EXPECT_EQ(OutcomeOf("watch=1&sendInitialEvents=perhaps" + match), "query");
}

TEST(ReadRequestTest, AWatchWithoutARevisionOrAtZeroBeginsWithTheState) {
  const std::string match = "&resourceVersionMatch=NotOlderThan";
  EXPECT_TRUE(Read("/api/v1/pods?watch=1").WantsInitialEvents());
  EXPECT_TRUE(Read("/api/v1/pods?watch=1&resourceVersion=0").WantsInitialEvents());
  EXPECT_FALSE(Read("/api/v1/pods?watch=1&resourceVersion=7").WantsInitialEvents());
  EXPECT_TRUE(Read("/api/v1/pods?watch=1&resourceVersion=7&sendInitialEvents=true" + match)
                  .WantsInitialEvents());
  EXPECT_FALSE(Read("/api/v1/pods?watch=1&resourceVersion=0&sendInitialEvents=false" + match)
                   .WantsInitialEvents());
  EXPECT_FALSE(Read("/api/v1/pods?watch=1&sendInitialEvents=false" + match).WantsInitialEvents());
}

TEST(ReadRequestTest, TokensBesideARevisionOrAWatchAreForwarded) {
  const std::string token = "continue=" + ContinueToken::Encode(100, "a-b/x");
  EXPECT_EQ(OutcomeOf(token), "served");
  for (const char* other : {"resourceVersion=95", "resourceVersion=0", "watch",
                            "resourceVersion=5&resourceVersionMatch=Exact",
                            "watch&resourceVersion=92", "watch&resourceVersion=0"}) {
    EXPECT_EQ(OutcomeOf(token + "&" + other), "query") << other;
  }
}

TEST(ReadRequestTest, ARequiredNameIsTheRequestsName) {
  const ReadRequest watch = Read("/api/v1/nodes?fieldSelector=metadata.name%3Dn1&watch=true");
  EXPECT_EQ(watch.name, "n1");
  EXPECT_EQ(watch.verb, ReadVerb::kWatch);
  EXPECT_EQ(Read("/api/v1/namespaces?fieldSelector=metadata.name%3Da").namespace_, "");
  EXPECT_EQ(Read("/api/v1/pods?fieldSelector=metadata.name%3Db,metadata.name%3Da").name, "a");
  EXPECT_EQ(Read("/api/v1/pods?fieldSelector=metadata.name!%3Da").name, "");
  for (const char* value : {"", ".", "..", "a/b", "a%2525", "a+b", "a%5C,b"}) {
    EXPECT_EQ(OutcomeOf("fieldSelector=metadata.name%3D" + std::string(value)), "selector")
        << value;
  }
}

TEST(ReadRequestTest, BuiltInTypesAreServedByTheirOwnFields) {
  const std::pair<const char*, const char*> cases[] = {
      {"/api/v1/pods?fieldSelector=spec.nodeName%3Dn1", "served"},
      {"/api/v1/pods?fieldSelector=spec.nodeName%3D&resourceVersion=0", "served"},
      {"/api/v1/pods?fieldSelector=spec.nodeName!%3Dn1", "served"},
      {"/api/v1/pods?fieldSelector=spec.host%3Dn1", "served"},
      {"/api/v1/pods?fieldSelector=status.phase%3DRunning,status.podIPs%3Dx", "served"},
      {"/api/v1/pods?fieldSelector=metadata.name%3Dx,spec.foo%3D1", "selector"},
      {"/api/v1/pods?fieldSelector=%3Dx", "selector"},
      {"/api/v1/pods?fieldSelector=%3D", "served"},
      {"/api/v1/nodes?fieldSelector=spec.unschedulable%3Dtrue", "served"},
      {"/api/v1/nodes?fieldSelector=spec.nodeName%3Dn1", "selector"},
      {"/api/v1/namespaces/a/events?fieldSelector=involvedObject.name%3Dx,source%3Dk", "served"},
      {"/apis/events.k8s.io/v1/events?fieldSelector=regarding.name%3Dx", "served"},
      {"/apis/events.k8s.io/v1/events?fieldSelector=involvedObject.name%3Dx", "selector"},
      {"/apis/batch/v1/jobs?fieldSelector=status.successful%3D1", "served"},
      {"/apis/apps/v1/replicasets?fieldSelector=status.replicas%3D1", "selector"},
      {"/apis/apps/v1/widgets?fieldSelector=spec.a%3D1", "selector"},
  };
  for (const auto& [target, expected] : cases) EXPECT_EQ(Outcome(Get(target)), expected) << target;
}

TEST(ReadRequestTest, OfOtherGroupsEveryFieldMayBeOneOfTheType) {
  for (const char* field : {"spec.color%3Dred", "metadata.namespace%3Da", "spec.nodeName!%3Dn1"}) {
    EXPECT_EQ(Outcome(Get("/apis/x.example.com/v1/shirts?fieldSelector=" + std::string(field))),
              "served")
        << field;
  }
  EXPECT_EQ(Outcome(Get("/apis/x.example.com/v1/shirts?fieldSelector=spec.color")), "query");
  EXPECT_EQ(Outcome(Get("/apis/x.example.com/v1/shirts?fieldSelector=metadata.name%3D..")),
            "selector");
}

TEST(ReadRequestTest, TheNamespaceFieldIsServedUnlessTheKindRefusesIt) {
  const std::pair<const char*, const char*> cases[] = {
      {"/api/v1/pods", "served"},
      {"/api/v1/namespaces/a/secrets", "served"},
      {"/api/v1/persistentvolumes", "served"},
      {"/apis/apps/v1/deployments", "served"},
      {"/apis/rbac.authorization.k8s.io/v1/clusterroles", "served"},
      {"/api/v1/nodes", "selector"},
      {"/api/v1/namespaces", "selector"},
      {"/apis/certificates.k8s.io/v1/namespaces/a/podcertificaterequests", "selector"},
      {"/apis/certificates.k8s.io/v1alpha1/namespaces/a/podcertificaterequests", "selector"},
      {"/apis/resource.k8s.io/v1/resourceslices", "selector"},
      {"/apis/resource.k8s.io/v1/resourceclaims", "served"},
  };
  for (const auto& [path, expected] : cases) {
    EXPECT_EQ(Outcome(Get(std::string(path) + "?fieldSelector=metadata.namespace%3Da")), expected)
        << path;
  }
}

TEST(ReadRequestTest, FormsThatTheCacheHasAreServed) {
  const auto accepting = [](std::string target, std::string_view accept) {
    http::RequestHead head = Get(std::move(target));
    head.headers.Add("Accept", accept);
    return Outcome(head);
  };
  EXPECT_EQ(accepting("/api/v1/pods", "application/json, */*"), "served");
  EXPECT_EQ(accepting("/api/v1/pods", "application/yaml"), "accept");
  EXPECT_EQ(accepting("/api/v1/pods?watch", "application/json;stream=watch"), "served");
  EXPECT_EQ(accepting("/api/v1/pods", "application/json;stream=watch"), "served");
  EXPECT_EQ(accepting("/api/v1/pods", "application/vnd.kubernetes.protobuf"), "served");
  EXPECT_EQ(accepting("/api/v1/pods", "application/json;as=Table;g=meta.k8s.io;v=v1"), "accept");
  EXPECT_EQ(OutcomeOf("pretty=true"), "served");
  EXPECT_EQ(OutcomeOf("pretty=false"), "served");
  EXPECT_EQ(OutcomeOf("watch&pretty=true"), "served");
}

TEST(ReadRequestTest, PeopleWithCurlGetUpstreamsIndentedOutput) {
  http::RequestHead head = Get("/api/v1/pods");
  head.headers.Add("User-Agent", "curl/8.0");
  const auto pretty = [&head] {
    const auto outcome = ClassifyRead(head);
    return std::get<ReadRequest>(outcome).forms.built_in.pretty;
  };
  EXPECT_TRUE(pretty());
  head.target = "/api/v1/pods?watch=true";
  EXPECT_FALSE(pretty());
}

TEST(ReadRequestTest, CarriesTheNegotiatedFormsAndEncoding) {
  http::RequestHead head = Get("/api/v1/pods");
  head.headers.Add("Accept", "application/json");
  head.headers.Add("Accept-Encoding", "gzip");
  const auto outcome = ClassifyRead(head);
  const auto* request = std::get_if<ReadRequest>(&outcome);
  ASSERT_NE(request, nullptr);
  EXPECT_TRUE(request->gzip);
  EXPECT_EQ(request->forms.built_in, NegotiateRead(head, ReadVerb::kList).built_in);
  EXPECT_EQ(request->forms.custom, NegotiateRead(head, ReadVerb::kList).custom);
  EXPECT_FALSE(Read("/api/v1/pods").gzip);
}

TEST(ReadRequestTest, MetadataAloneIsForwardedWhereTheVersionAddsToIt) {
  const auto outcome = [](std::string target, bool metadata_only) {
    http::RequestHead head = Get(std::move(target));
    head.headers.Add("Accept", metadata_only ? "application/json;as=PartialObjectMetadataList;"
                                               "g=meta.k8s.io;v=v1"
                                             : "application/json");
    return Outcome(head);
  };
  for (const char* target :
       {"/apis/apps/v1/daemonsets", "/apis/autoscaling/v1/horizontalpodautoscalers"}) {
    EXPECT_EQ(outcome(target, true), "accept");
    EXPECT_EQ(outcome(target, false), "served");
  }
  EXPECT_EQ(outcome("/apis/autoscaling/v2/horizontalpodautoscalers", true), "served");
  EXPECT_EQ(outcome("/apis/apps/v1/deployments", true), "served");
}

TEST(ReadRequestTest, ImpersonationUpgradesAndExpectationsAreNeverServed) {
  const std::pair<const char*, const char*> headers[] = {
      {"Impersonate-User", "x"},  {"impersonate_user", "x"},
      {"IMPERSONATE-Group", "x"}, {"Impersonate-", ""},
      {"Upgrade", "websocket"},   {"Expect", "100-continue"},
      {"Connection", "Upgrade"},  {"connection", "keep-alive, UPGRADE"},
  };
  for (const auto& [name, value] : headers) {
    http::RequestHead head = Get("/api/v1/pods");
    head.headers.Add(name, value);
    EXPECT_EQ(Outcome(head), "headers") << name;
  }
  http::RequestHead head = Get("/api/v1/pods");
  head.headers.Add("Connection", "keep-alive");
  head.headers.Add("X-Impersonate-User", "x");
  EXPECT_EQ(Outcome(head), "served");
}

TEST(ReadRequestTest, OtherMethodsAndBodiesAreNeverServed) {
  for (const char* method : {"HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get", ""}) {
    http::RequestHead head = Get("/api/v1/pods");
    head.method = method;
    EXPECT_EQ(Outcome(head), "method") << method;
  }
  http::RequestHead head = Get("/api/v1/pods");
  head.body.kind = http::BodyFraming::Kind::kChunked;
  EXPECT_EQ(Outcome(head), "method");
}

}  // namespace
}  // namespace weir
