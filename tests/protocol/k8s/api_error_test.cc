#include "protocol/k8s/api_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir {
namespace {

const ResourceId kPods{"", "v1", "pods"};
const ResourceId kDeployments{"apps", "v1", "deployments"};

// What every Status begins with.
std::string Failure(std::string_view rest) {
  return R"J({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",)J" +
         std::string(rest);
}

TEST(ApiErrorTest, MissingObjectsAreNamedWithTheirGroup) {  // G01, G02
  EXPECT_EQ(
      ApiError::NotFound(kPods, "nope").ToJson(),
      Failure(
          R"J("message":"pods \"nope\" not found","reason":"NotFound","details":{"name":"nope","kind":"pods"},"code":404})J"));
  EXPECT_EQ(
      ApiError::NotFound(kDeployments, "nope").ToJson(),
      Failure(
          R"J("message":"deployments.apps \"nope\" not found","reason":"NotFound","details":{"name":"nope","group":"apps","kind":"deployments"},"code":404})J"));
}

TEST(ApiErrorTest, RevisionsFromTheFutureNameTheirCause) {  // L14
  EXPECT_EQ(
      ApiError::TooLargeResourceVersion(999, 100).ToJson(),
      Failure(
          R"J("message":"Timeout: Too large resource version: 999, current: 100","reason":"Timeout","details":{"causes":[{"reason":"ResourceVersionTooLarge","message":"Too large resource version"}],"retryAfterSeconds":1},"code":504})J"));
}

TEST(ApiErrorTest, ExpiryHasNoDetails) {  // W01, L15
  EXPECT_EQ(
      ApiError::WatchExpired(5, 80).ToJson(),
      Failure(R"J("message":"too old resource version: 5 (80)","reason":"Expired","code":410})J"));
  EXPECT_EQ(
      ApiError::ListExpired().ToJson(),
      Failure(
          R"J("message":"The resourceVersion for the provided list is too old.","reason":"Expired","code":410})J"));
}

TEST(ApiErrorTest, AnExpiredContinuationCarriesAFreshToken) {  // L16
  EXPECT_EQ(
      ApiError::ContinueExpired("abc").ToJson(),
      R"J({"kind":"Status","apiVersion":"v1","metadata":{"continue":"abc"},"status":"Failure","message":"The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.","reason":"Expired","code":410})J");
  EXPECT_EQ(
      ApiError::ContinueExpired("").ToJson(),
      Failure(
          R"J("message":"The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.","reason":"Expired","code":410})J"));
}

TEST(ApiErrorTest, RefusalsOfAccess) {  // G07
  EXPECT_EQ(ApiError::Unauthorized().ToJson(),
            Failure(R"J("message":"Unauthorized","reason":"Unauthorized","code":401})J"));
  EXPECT_EQ(
      ApiError::Forbidden(
          kPods, "",
          R"J(pods is forbidden: User "u" cannot list resource "pods" in API group "" in the namespace "default")J")
          .ToJson(),
      Failure(
          R"J("message":"pods is forbidden: User \"u\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\"","reason":"Forbidden","details":{"kind":"pods"},"code":403})J"));
  EXPECT_THAT(ApiError::Forbidden(kDeployments, "x", "m").ToJson(),
              testing::HasSubstr(
                  R"J("details":{"name":"x","group":"apps","kind":"deployments"},"code":403})J"));
}

TEST(ApiErrorTest, WhatMayBeTriedAgainSaysWhen) {  // L56
  EXPECT_EQ(
      ApiError::TooManyRequests("storage is (re)initializing", 3).ToJson(),
      Failure(
          R"J("message":"storage is (re)initializing","reason":"TooManyRequests","details":{"retryAfterSeconds":3},"code":429})J"));
  EXPECT_EQ(
      ApiError::ServiceUnavailable("down", 1).ToJson(),
      Failure(
          R"J("message":"down","reason":"ServiceUnavailable","details":{"retryAfterSeconds":1},"code":503})J"));
}

TEST(ApiErrorTest, ProxyFailuresHaveNoDetails) {
  EXPECT_EQ(ApiError::NotImplemented("no").ToJson(),
            Failure(R"J("message":"no","reason":"NotImplemented","code":501})J"));
  EXPECT_EQ(ApiError::BadGateway("no").ToJson(), Failure(R"J("message":"no","code":502})J"));
}

TEST(ApiErrorTest, APassedDeadlineHasNeitherKindNorVersion) {
  EXPECT_EQ(
      ApiError::Timeout().ToJson(),
      R"J({"metadata":{},"status":"Failure","message":"Timeout: request did not complete within the allotted timeout","reason":"Timeout","details":{},"code":504})J");
}

TEST(ApiErrorTest, CausesKeepTheirOrderAndKeys) {  // L18
  ApiError error;
  error.code = 422;
  error.reason = "Invalid";
  error.message =
      R"J(ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided)J";
  error.has_details = true;
  error.details.group = "meta.k8s.io";
  error.details.kind = "ListOptions";
  error.details.causes = {
      {"FieldValueForbidden",
       "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
       "resourceVersionMatch"},
      {"", "b", ""}};
  EXPECT_EQ(
      error.ToJson(),
      Failure(
          R"J("message":"ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided","reason":"Invalid","details":{"group":"meta.k8s.io","kind":"ListOptions","causes":[{"reason":"FieldValueForbidden","message":"Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided","field":"resourceVersionMatch"},{"message":"b"}]},"code":422})J"));
}

TEST(ApiErrorTest, AnErrorWithoutReasonOmitsIt) {  // W21
  ApiError error;
  error.message =
      R"J(resourceVersion: Invalid value: "abc": strconv.ParseUint: parsing "abc": invalid syntax)J";
  EXPECT_EQ(
      error.ToJson(),
      Failure(
          R"J("message":"resourceVersion: Invalid value: \"abc\": strconv.ParseUint: parsing \"abc\": invalid syntax","code":500})J"));
}

TEST(ApiErrorTest, MarkupIsEscapedAsGoDoes) {
  EXPECT_THAT(ApiError::NotFound(kPods, "<a&b>").ToJson(),
              testing::HasSubstr(R"J("name":"\u003ca\u0026b\u003e")J"));
}

}  // namespace
}  // namespace weir
