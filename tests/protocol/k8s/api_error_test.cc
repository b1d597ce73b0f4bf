#include "protocol/k8s/api_error.h"

#include <gtest/gtest.h>

#include "protocol/k8s/continue_token.h"

namespace weir {
namespace {

TEST(ApiErrorTest, BodiesAreUpstreams) {
  EXPECT_EQ(
      ApiError::TooLargeResourceVersion(999, 100).ToJson(),
      R"J({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Timeout: Too large resource version: 999, current: 100","reason":"Timeout","details":{"causes":[{"reason":"ResourceVersionTooLarge","message":"Too large resource version"}],"retryAfterSeconds":1},"code":504})J");
  EXPECT_EQ(
      ApiError::NotFound({"apps", "v1", "deployments"}, "nope").ToJson(),
      R"J({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"deployments.apps \"nope\" not found","reason":"NotFound","details":{"name":"nope","group":"apps","kind":"deployments"},"code":404})J");
  EXPECT_EQ(
      ApiError::WatchExpired(5, 80).ToJson(),
      R"J({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old resource version: 5 (80)","reason":"Expired","code":410})J");
  EXPECT_EQ(
      ApiError::Unauthorized().ToJson(),
      R"J({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401})J");
}

TEST(ContinueTokenTest, IsByteForByteTheOneOfUpstreamsCache) {
  EXPECT_EQ(
      ContinueToken::Encode(10245, "default/nginx-1"),
      "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MTAyNDUsInN0YXJ0IjoiL2RlZmF1bHQvbmdpbngtMVx1MDAwMCJ9");
}

TEST(ContinueTokenTest, BothFormsAreRead) {
  for (const char* token :
       {"eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MTAyNDUsInN0YXJ0IjoiZGVmYXVsdC9uZ2lueC0xXHUwMDAwIn0",
        "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MTAyNDUsInN0YXJ0IjoiL2RlZmF1bHQvbmdpbngtMVx1MDAwMCJ"
        "9"}) {
    const auto decoded = ContinueToken::Decode(token);
    ASSERT_TRUE(decoded.ok()) << token;
    EXPECT_EQ(decoded->revision, 10245);
    EXPECT_EQ(decoded->start_key, std::string("default/nginx-1\0", 16));
  }
}

TEST(ContinueTokenTest, RefusesWhatUpstreamRefuses) {
  for (const char* bad : {"abc!", "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MCwic3RhcnQiOiJhIn0",
                          "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6NSwic3RhcnQiOiIifQ",
                          "eyJ2IjoidjIiLCJydiI6MSwic3RhcnQiOiJhIn0",
                          "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiIuLi9rZXkifQ"}) {
    EXPECT_FALSE(ContinueToken::Decode(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace weir
