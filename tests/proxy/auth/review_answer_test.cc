#include "proxy/auth/review_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

StatusOr<TokenAnswer> Token(std::string_view status) {
  return ParseTokenReview(
      R"({"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","metadata":{},"spec":{"token":"x"},"status":)" +
      std::string(status) + "}");
}

StatusOr<AccessAnswer> Access(std::string_view status) {
  return ParseAccessReview(R"({"kind":"SubjectAccessReview","status":)" + std::string(status) +
                           "}");
}

TEST(TokenReviewTest, ASuccessIsTheWholeUser) {
  const auto answer =
      Token(R"({"authenticated":true,"user":{"username":"system:serviceaccount:ns:n","uid":"u",
      "groups":["system:serviceaccounts","system:authenticated"],
      "extra":{"Authentication.kubernetes.io/pod-name":["p","q"]}},"audiences":["a"]})");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_TRUE(answer->authenticated);
  EXPECT_EQ(answer->identity.name, "system:serviceaccount:ns:n");
  EXPECT_EQ(answer->identity.uid, "u");
  EXPECT_THAT(answer->identity.groups,
              ElementsAre("system:serviceaccounts", "system:authenticated"));
  EXPECT_THAT(answer->identity.extra.at("authentication.kubernetes.io/pod-name"),
              ElementsAre("p", "q"));
  EXPECT_EQ(answer->identity.method, Identity::Method::kToken);
}

TEST(TokenReviewTest, AddsTheGroupThatUpstreamAdds) {
  EXPECT_THAT(Token(R"({"authenticated":true,"user":{"username":"a"}})")->identity.groups,
              ElementsAre("system:authenticated"));
  EXPECT_THAT(
      Token(R"({"authenticated":true,"user":{"username":"a","groups":["system:unauthenticated"]}})")
          ->identity.groups,
      ElementsAre("system:unauthenticated"));
}

TEST(TokenReviewTest, WithoutAuthenticatedItIsARefusal) {
  const auto answer = Token(R"({"user":{},"error":"invalid bearer token"})");
  ASSERT_TRUE(answer.ok());
  EXPECT_FALSE(answer->authenticated);
  EXPECT_EQ(answer->error, "invalid bearer token");
  EXPECT_FALSE(Token(R"({"authenticated":false,"user":{"username":"a"}})")->authenticated);
}

TEST(TokenReviewTest, AVerdictThatNamesNobodyOrTheAnonymousUserIsARefusal) {
  EXPECT_FALSE(
      Token(R"({"authenticated":true,"user":{"username":"system:anonymous"}})")->authenticated);
  EXPECT_FALSE(Token(R"({"authenticated":true,"user":{"username":""}})")->authenticated);
  EXPECT_FALSE(Token(R"({"authenticated":true,"user":{}})")->authenticated);
}

TEST(TokenReviewTest, WhatIsNotPlainIsNoVerdict) {
  for (const char* status :
       {R"({"authenticated":"true","user":{"username":"a"}})",
        R"({"authenticated":1,"user":{"username":"a"}})", R"({"authenticated":true})",
        R"({"authenticated":true,"user":[]})", R"({"authenticated":true,"user":{"username":1}})",
        R"({"authenticated":true,"authenticated":false,"user":{"username":"a"}})",
        R"({"authenticated":true,"user":{"username":"a","username":"b"}})",
        R"({"authenticated":true,"user":{"username":"a","groups":"g"}})",
        R"({"authenticated":true,"user":{"username":"a","groups":[1]}})",
        R"({"authenticated":true,"user":{"username":"a","extra":{"k":"v"}}})", "[]", "null", "{"}) {
    EXPECT_EQ(Token(status).status().code(), absl::StatusCode::kUnavailable) << status;
  }
  for (const char* body :
       {"", "{}", "null", "[]", "x", R"({"status":{}})", R"({"kind":"Status","status":"Failure"})",
        R"({"kind":"SubjectAccessReview","status":{"allowed":true}})"}) {
    EXPECT_FALSE(ParseTokenReview(body).ok()) << body;
  }
}

TEST(TokenReviewTest, DepthAndSizeAreBounded) {
  std::string deep = R"({"kind":"TokenReview","x":)";
  for (int i = 0; i < 1000; ++i) deep += '[';
  for (int i = 0; i < 1000; ++i) deep += ']';
  EXPECT_FALSE(ParseTokenReview(deep + R"(,"status":{}})").ok());
  EXPECT_FALSE(ParseTokenReview(std::string(kMaxReviewBytes + 1, ' ')).ok());
}

TEST(AccessReviewTest, OnlyAllowedAndNotDeniedIsAllowed) {
  EXPECT_TRUE(Access(R"({"allowed":true})")->allowed);
  EXPECT_TRUE(Access(R"({"allowed":true,"denied":false,"evaluationError":"oh"})")->allowed);
  EXPECT_FALSE(Access(R"({"allowed":true,"denied":true})")->allowed);
  EXPECT_FALSE(Access(R"({"allowed":false,"reason":"no"})")->allowed);
  EXPECT_EQ(Access(R"({"allowed":false,"reason":"no"})")->reason, "no");
  EXPECT_FALSE(Access(R"({"allowed":null})")->allowed);
}

TEST(AccessReviewTest, WhatIsNotPlainIsNoVerdict) {
  for (const char* status :
       {"{}", "[]", R"({"allowed":"true"})", R"({"allowed":1})",
        R"({"allowed":true,"allowed":true})", R"({"allowed":true,"denied":"x"})",
        R"({"allowed":true,"denied":true,"denied":false})"}) {
    EXPECT_EQ(Access(status).status().code(), absl::StatusCode::kUnavailable) << status;
  }
}

TEST(ReviewBodyTest, OnlyCreatedAndOkCarryAVerdict) {
  const auto of = [](int status) {
    return StatusOr<ReviewAnswer>(ReviewAnswer{.status = status, .body = "b"});
  };
  EXPECT_EQ(ReviewBody(of(201)).value(), "b");
  EXPECT_EQ(ReviewBody(of(200)).value(), "b");
  for (const int status : {202, 301, 401, 403, 422, 500}) {
    EXPECT_EQ(ReviewBody(of(status)).status().code(), absl::StatusCode::kUnavailable);
  }
  for (const int status : {429, 500, 502, 503, 504}) EXPECT_TRUE(MayRetry(of(status)));
  for (const int status : {201, 401, 403, 404, 422}) EXPECT_FALSE(MayRetry(of(status)));
  EXPECT_TRUE(MayRetry(Unavailable("")));
  EXPECT_FALSE(MayRetry(DeadlineExceeded("")));
}

TEST(ReviewQuestionTest, ATokenReviewCarriesTheTokenAndNoAudience) {
  EXPECT_EQ(
      TokenReviewBody("a\"b"),
      R"({"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","spec":{"token":"a\"b"}})");
}

TEST(ReviewQuestionTest, AnAccessReviewCarriesUserAttributesAndSelectors) {
  Identity identity;
  identity.name = "system:node:n1";
  identity.groups = {"system:nodes", "system:authenticated"};
  identity.extra["authentication.kubernetes.io/credential-id"] = {"X509SHA256=00"};
  Attributes attributes;
  attributes.verb = "list";
  attributes.resource = {.group = "", .version = "v1", .resource = "pods"};
  attributes.field_selector = FieldSelector::Parse("spec.nodeName=n1,metadata.name!=y").value();
  attributes.label_selector = LabelSelector::Parse("app in (x,y),tier,!old,env!=dev").value();
  EXPECT_EQ(
      AccessReviewBody(identity, attributes),
      R"({"apiVersion":"authorization.k8s.io/v1","kind":"SubjectAccessReview","spec":{"resourceAttributes":{)"
      R"("verb":"list","version":"v1","resource":"pods","fieldSelector":{"requirements":[)"
      R"({"key":"metadata.name","operator":"NotIn","values":["y"]},)"
      R"({"key":"spec.nodeName","operator":"In","values":["n1"]}]},"labelSelector":{"requirements":[)"
      R"({"key":"app","operator":"In","values":["x","y"]},{"key":"env","operator":"NotIn","values":["dev"]},)"
      R"({"key":"old","operator":"DoesNotExist"},{"key":"tier","operator":"Exists"}]}},)"
      R"("user":"system:node:n1","groups":["system:nodes","system:authenticated"],)"
      R"("extra":{"authentication.kubernetes.io/credential-id":["X509SHA256=00"]}}})");
}

TEST(ReviewQuestionTest, NamespaceNameGroupAndUidAreThereWhenTheyAreSet) {
  Identity identity;
  identity.name = "a";
  identity.uid = "u";
  Attributes attributes;
  attributes.verb = "get";
  attributes.resource = {.group = "apps", .version = "v1", .resource = "deployments"};
  attributes.namespace_ = "ns";
  attributes.name = "d";
  EXPECT_THAT(
      AccessReviewBody(identity, attributes),
      HasSubstr(
          R"({"namespace":"ns","verb":"get","group":"apps","version":"v1","resource":"deployments","name":"d"},)"
          R"("user":"a","uid":"u"}})"));
}

TEST(AttributesTest, OfAGetHaveNoSelectors) {
  ReadRequest request;
  request.verb = ReadVerb::kGet;
  request.resource = {.group = "", .version = "v1", .resource = "namespaces"};
  request.namespace_ = "a";
  request.name = "a";
  request.field_selector = FieldSelector::Parse("metadata.name=b").value();
  const Attributes get = AttributesOf(request);
  EXPECT_EQ(get.verb, "get");
  EXPECT_EQ(get.namespace_, "a");
  EXPECT_TRUE(get.field_selector.empty());
  request.verb = ReadVerb::kWatch;
  EXPECT_EQ(AttributesOf(request).verb, "watch");
  EXPECT_FALSE(AttributesOf(request).field_selector.empty());
  request.verb = ReadVerb::kList;
  EXPECT_EQ(AttributesOf(request).verb, "list");
}

}  // namespace
}  // namespace weir
