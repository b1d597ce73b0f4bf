#include "protocol/k8s/error_body.h"

#include <gtest/gtest.h>

#include <string>

namespace weir {
namespace {

const ResourceId kDeployments{"apps", "v1", "deployments"};

std::string Bytes(const ApiError& error, ErrorForm form) { return EncodeError(error, form).bytes; }

TEST(ErrorBodyTest, EachFormHasItsType) {
  const ApiError error = ApiError::Unauthorized();
  EXPECT_EQ(EncodeError(error, ErrorForm::kJson).content_type, "application/json");
  EXPECT_EQ(EncodeError(error, ErrorForm::kIndentedJson).content_type, "application/json");
  EXPECT_EQ(EncodeError(error, ErrorForm::kYaml).content_type, "application/yaml");
  EXPECT_EQ(EncodeError(error, ErrorForm::kProtobuf).content_type,
            "application/vnd.kubernetes.protobuf");
}

// The bodies of this file are those of the API server.
TEST(ErrorBodyTest, JsonIsCompactWithANewlineOrIndentedWithout) {
  const ApiError error = ApiError::NotFound(kDeployments, "nope");
  EXPECT_EQ(Bytes(error, ErrorForm::kJson),
            R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",)"
            R"("message":"deployments.apps \"nope\" not found","reason":"NotFound",)"
            R"("details":{"name":"nope","group":"apps","kind":"deployments"},"code":404})"
            "\n");
  EXPECT_EQ(Bytes(error, ErrorForm::kIndentedJson), R"({
  "kind": "Status",
  "apiVersion": "v1",
  "metadata": {},
  "status": "Failure",
  "message": "deployments.apps \"nope\" not found",
  "reason": "NotFound",
  "details": {
    "name": "nope",
    "group": "apps",
    "kind": "deployments"
  },
  "code": 404
})");
}

TEST(ErrorBodyTest, YamlHasItsKeysSorted) {
  EXPECT_EQ(Bytes(ApiError::Unauthorized(), ErrorForm::kYaml), R"(apiVersion: v1
code: 401
kind: Status
message: Unauthorized
metadata: {}
reason: Unauthorized
status: Failure
)");
  EXPECT_EQ(Bytes(ApiError::NotFound(kDeployments, "nope"), ErrorForm::kYaml), R"(apiVersion: v1
code: 404
details:
  group: apps
  kind: deployments
  name: nope
kind: Status
message: deployments.apps "nope" not found
metadata: {}
reason: NotFound
status: Failure
)");
  EXPECT_EQ(Bytes(ApiError::TooLargeResourceVersion(99999999, 324), ErrorForm::kYaml),
            R"(apiVersion: v1
code: 504
details:
  causes:
  - message: Too large resource version
    reason: ResourceVersionTooLarge
  retryAfterSeconds: 1
kind: Status
message: 'Timeout: Too large resource version: 99999999, current: 324'
metadata: {}
reason: Timeout
status: Failure
)");
}

TEST(ErrorBodyTest, YamlKeepsEmptyDetailsAndAToken) {
  ApiError error = ApiError::ContinueExpired("token");
  error.has_details = true;
  error.message = "m";
  EXPECT_EQ(Bytes(error, ErrorForm::kYaml), R"(apiVersion: v1
code: 410
details: {}
kind: Status
message: m
metadata:
  continue: token
reason: Expired
status: Failure
)");
}

TEST(ErrorBodyTest, ProtobufIsInItsEnvelope) {
  EXPECT_EQ(Bytes(ApiError::Unauthorized(), ErrorForm::kProtobuf),
            std::string("k8s\0\n\f\n\x02v1\x12\x06Status\x12"
                        "0\n\x06\n\0\x12\0\x1a\0\x12\aFailure\x1a\fUnauthorized\"\fUnauthorized"
                        "0\x91\x03\x1a\0\"\0",
                        72));
}

// Upstream's filter for time-outs writes JSON whatever is asked for, and Go guesses the type.
TEST(ErrorBodyTest, ATimeoutIsNotNegotiated) {
  for (const auto form :
       {ErrorForm::kJson, ErrorForm::kIndentedJson, ErrorForm::kYaml, ErrorForm::kProtobuf}) {
    const ErrorBody body = EncodeError(ApiError::Timeout(), form);
    EXPECT_EQ(body.content_type, "text/plain; charset=utf-8");
    EXPECT_EQ(body.bytes,
              R"({"metadata":{},"status":"Failure","message":"Timeout: request did not complete )"
              R"(within the allotted timeout","reason":"Timeout","details":{},"code":504})"
              "\n");
  }
}

}  // namespace
}  // namespace weir
