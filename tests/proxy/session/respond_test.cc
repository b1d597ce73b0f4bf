#include "proxy/session/respond.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "tests/proxy/session/session_fixture.h"

namespace weir {
namespace {

using ::testing::EndsWith;
using ::testing::StartsWith;

class RespondErrorTest : public SessionTest {
 protected:
  std::unique_ptr<MemoryExchange> Respond(http::RequestHead head, ApiError error) {
    auto exchange = std::make_unique<MemoryExchange>(worker_, std::move(head));
    RunOn(worker_, [&]() -> Async<void> { co_await RespondError(*exchange, std::move(error)); });
    EXPECT_EQ(exchange->head->body.length, exchange->body.size());
    EXPECT_TRUE(exchange->finished);
    return exchange;
  }
  static http::RequestHead Accepting(std::string_view accept) {
    http::RequestHead head = Get("/api/v1/pods");
    head.headers.Set("Accept", accept);
    return head;
  }
  static std::string Type(const MemoryExchange& exchange) {
    return *exchange.head->headers.First("Content-Type");
  }
};

TEST_F(RespondErrorTest, TheBodyIsInTheFormThatTheRequestAsksFor) {
  const auto json = Respond(Accepting("application/json"), ApiError::Unauthorized());
  EXPECT_EQ(json->status(), 401);
  EXPECT_EQ(Type(*json), "application/json");
  EXPECT_THAT(json->body, StartsWith(R"({"kind":"Status","apiVersion":"v1",)"));
  EXPECT_THAT(json->body, EndsWith("}\n"));

  const auto yaml = Respond(Accepting("application/yaml"), ApiError::Unauthorized());
  EXPECT_EQ(Type(*yaml), "application/yaml");
  EXPECT_THAT(yaml->body, StartsWith("apiVersion: v1\ncode: 401\n"));

  const auto protobuf =
      Respond(Accepting("application/vnd.kubernetes.protobuf"), ApiError::Unauthorized());
  EXPECT_EQ(Type(*protobuf), "application/vnd.kubernetes.protobuf");
  EXPECT_THAT(protobuf->body, StartsWith(std::string("k8s\0", 4)));

  const auto nothing = Respond(Accepting("text/html"), ApiError::Unauthorized());
  EXPECT_EQ(Type(*nothing), "application/json");
  EXPECT_THAT(nothing->body, StartsWith("{\n  \"kind\": \"Status\","));
  EXPECT_THAT(nothing->body, EndsWith("\n}"));
}

TEST_F(RespondErrorTest, PeopleGetItIndented) {
  http::RequestHead curl = Get("/api/v1/pods");
  curl.headers.Add("User-Agent", "curl/8.0");
  EXPECT_THAT(Respond(curl, ApiError::Unauthorized())->body, StartsWith("{\n  \"kind\""));
  curl.target = "/api/v1/pods?pretty=false";
  EXPECT_THAT(Respond(curl, ApiError::Unauthorized())->body, StartsWith("{\"kind\""));
  EXPECT_THAT(Respond(Get("/api/v1/pods?pretty=1"), ApiError::Unauthorized())->body,
              StartsWith("{\n  \"kind\""));
}

TEST_F(RespondErrorTest, HeadersFollowTheErrorWhateverTheForm) {
  for (const char* accept : {"application/json", "application/yaml", "text/html"}) {
    const auto busy = Respond(Accepting(accept), ApiError::TooManyRequests("later", 3));
    EXPECT_EQ(busy->status(), 429);
    EXPECT_EQ(*busy->head->headers.First("Retry-After"), "3");
    const auto refused = Respond(Accepting(accept), ApiError::Forbidden({}, "", "no"));
    EXPECT_EQ(*refused->head->headers.First("X-Content-Type-Options"), "nosniff");
    const auto late = Respond(Accepting(accept), ApiError::Timeout());
    EXPECT_EQ(Type(*late), "text/plain; charset=utf-8");
  }
}

}  // namespace
}  // namespace weir
